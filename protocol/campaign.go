package protocol

import "time"

// What the switch, which knows the programmes, and the reconciler, which knows
// PostgreSQL, say to each other about segments, grants and reminders, and what
// offices are told of them.

// GrantLasts is how long after its moment a grant may still be given: members
// remember for longer that they have had it. A run that takes longer ends.
const GrantLasts = 60 * 24 * time.Hour

// GrantOrder names what a programme grants to one member of a segment: the
// grant of a version by its name, and the moment for which it is given, unix
// ns. A member is given each moment of a grant once.
type GrantOrder struct {
	Name       string
	Occurrence int64
	Version    uint32
}

// SegmentView is a segment of the programme in force. Members is how many
// belong to it now.
type SegmentView struct {
	Name, Color string
	Members     int64
}

// GrantView is a grant of the programme in force. Points are hundredths, for
// each member. Every is its term as the document writes it, "" for once. Next
// is its next moment, 0 for none; Until the first moment after its end, 0 for
// no end; unix ns. Why says why it can't be given, "" if it can.
type GrantView struct {
	Name, Segment, Reason, Every, Why string
	Points                            int64
	At, Next, Until                   int64
	// Last is its newest run; nil if there was none.
	Last *GrantRun
	// Members and Total are, of a preview, how many would get it now and how
	// many points that is in all.
	Members, Total int64
}

// GrantRun is one moment of a grant and what came of it. Status is running,
// done, missed, refused or ended (see docs/campaigns.md), Why the reason where
// it is none of the first two. Points are hundredths: Points for each member,
// Total what was given in all. Times are unix ns, 0 for not yet.
type GrantRun struct {
	ID                              int64
	Grant, Segment, Reason          string
	Status, Why                     string
	Version                         uint32
	Publisher                       string // name of the API key that published the version
	Occurrence, Began, Ended        int64
	Members, Given, Skipped, Failed int64
	Points, Total                   int64
}

// Reminder says that points of a member are about to lapse. It stands once for
// each member, lapse and term: a reader that remembers the id it has come to
// misses none and tells none twice. Points, hundredths, are those that were to
// lapse when it was made.
type Reminder struct {
	ID      int64
	Member  string
	Before  string // the term that the programme writes
	Points  int64
	Expires int64 // unix ns
	Made    int64 // unix ns
}

// CampaignView is the answer to one of the calls about segments, grants and
// reminders: the list that it asks for.
type CampaignView struct {
	Segments  []SegmentView
	Grants    []GrantView
	Runs      []GrantRun
	Reminders []Reminder
}

// Campaign is what the programme of a merchant in force asks the reconciler to
// do.
type Campaign struct {
	Version   uint32
	Publisher string // name of the API key that published it
	Offset    int32  // of the programme's zone from UTC now, seconds
	Segments  []SegmentView
	Grants    []GrantView
	Remind    []Remind
}

// Remind is one term of the programme's reminders: what lapses before Until,
// unix ns, is to be reminded of now.
type Remind struct {
	Before string
	Until  int64
}

// SegmentQuery is what PostgreSQL is asked about a segment. The first fields
// narrow the members down, never too far; who really belongs is judged by the
// account. Looks are what the account doesn't keep.
type SegmentQuery struct {
	Bought       bool  // only members with a purchase
	Never        bool  // only members without one, or who brought one back
	BoughtSince  int64 // only members with a purchase at or after it, unix ns; 0: any
	BoughtBefore int64 // only members with none at or after it, unless they brought one back; 0: any
	Looks        []Look
}

// LookKind is what a [Look] finds.
type LookKind uint8

const (
	// LookSpent is the money paid at Stores from day From on, minor units.
	LookSpent LookKind = iota
	// LookBought is the quantity of Goods bought from day From on, thousandths.
	LookBought
	// LookFirst is when Rule first applied to a purchase that was not brought
	// back whole, unix ns.
	LookFirst
	// LookReached is when the money paid reached Sum, unix ns.
	LookReached
)

// Look is one figure for each member out of the whole history in PostgreSQL;
// 0 for a member without.
type Look struct {
	Kind   LookKind
	From   int32 // local day, since 1970-01-01
	Stores []string
	Goods  Goods
	Rule   string
	Sum    int64 // minor units of money
	// Place and Names are where Stores come from: store, store_group or partner.
	Place string
	Names []string
}

// Goods picks lines of receipts: each list that isn't empty must have the
// line's. Brand, Supplier and Tag are the product's in the directory today: SKUs
// are, for each that is asked for, the articles that have it.
type Goods struct {
	SKU, Category, Brand, Supplier, Tag []string
	PriceFrom, PriceBelow               int64 // per unit, minor units; with Priced
	Priced                              bool
	Among                               [][]string
}

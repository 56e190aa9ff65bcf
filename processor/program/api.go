// Package program is the loyalty programme: the document that people write,
// compiled, and the rules that judge a receipt by it.
//
// It is pure: no input or output (but for the time zone database that Compile
// reads), no clock, no goroutine, no map order.
// [Compile] turns a document into a [Program] or into problems with paths and
// advice. [Evaluate] turns a programme, what is known about the member, a
// request and a moment into a [Decision]; the same arguments always give the
// same figures, and a reused Decision makes it free of allocation.
//
// Units, everywhere in this package: money in minor units of the programme's
// currency, points in hundredths, quantities in thousandths, moments in unix
// nanoseconds. The rules are those of docs/programme.md.
package program

import (
	"time"

	"tillgate/protocol"
)

// MaxAmount is the largest receipt that is judged, in minor units: what the
// twelve digits of DE4 can hold. It also bounds every product of an amount
// and a rate below 2^127.
const MaxAmount = 999_999_999_999

// MaxLines is the largest number of lines of a receipt.
const MaxLines = 500

// maxUnits is the largest quantity of a line, in units: it bounds what a rule
// that gives per unit can add up to.
const maxUnits = 1_000_000

// DaySum is what a member paid in money on one local day, minor units.
type DaySum struct {
	Day   int32 // days since 1970-01-01 in the zone that the sale was booked in
	Spent int64
}

// Facts are what a decision may know about the member, the caller and the
// store. The zero value is an anonymous buyer at an unknown store. Slices are
// read, never kept.
type Facts struct {
	Present    bool // the request names a member that exists (or one is about to be enrolled)
	Registered bool // else provisional: earns, can't spend

	// Identified is how the member was named when it was decided who spends:
	// for an amendment that is the hold's. SpendByID allows ByID to spend: the
	// caller's key has the checkout role (or the server runs without keys).
	Identified protocol.IdentifierKind
	SpendByID  bool

	// NoRedeem and NoEarn narrow what the call may do: an accrual spends
	// nothing whatever the request says, a balance enquiry earns nothing.
	NoRedeem bool
	NoEarn   bool

	// Agreed says that the office books an offline receipt: it has agreed to the
	// points that were spent, whatever the programme's limit for that.
	Agreed bool

	Available int64 // spendable points, hundredths; negative counts as zero

	AssignedTier  string   // by hand; a floor until AssignedUntil
	AssignedUntil int64    // unix ns; 0: without an end
	Lifetime      int64    // money paid so far, minor units
	Days          []DaySum // ordered by Day
	LastPurchase  int64    // business date of the newest purchase, unix ns; 0: none
	FirstPurchase bool     // this would be the first

	Joined int64 // registration, unix ns; 0: not registered
	Above  int   // members above: 0 if nobody invited the member

	// Counts are the counters that rules keep, ordered by (Key, Bucket).
	Counts []Count
	// Promos are the request's promo codes, as the processor has found them.
	Promos []PromoUse

	// Card is the card that was shown, as a number that stands for it; 0: none.
	// OwnCard: it is the cashier's. Where the programme's guard asks for them
	// ([Program.GuardNeeds]).
	Card    uint64
	OwnCard bool

	BirthMonth, BirthDay uint8 // 0: not known
	Tags                 []string
	CardType             string

	// StoreGroup and Partner come from the store's directory. Zone is the
	// store's time zone; nil: the programme's.
	StoreGroup, Partner string
	Zone                *time.Location

	// Now is the server's time, where windows of sums and assigned tiers end;
	// 0: the moment that is judged.
	Now int64
}

// EarnedLot is a part of what the purchase earns, with the dates of its lot.
type EarnedLot struct {
	Points  int64 // hundredths
	Active  int64 // unix ns, never 0: the moment judged if at once
	Expires int64 // unix ns; 0: never
	Own     bool  // has a term of its own: a later purchase doesn't extend it
}

// Decision is what a programme says about one receipt. Reuse it: its slices
// keep their capacity. They and their contents are valid until the next
// Evaluate with the same Decision; strings point into the request or the
// programme.
type Decision struct {
	// Code is Approved, Partial, or the first guard that refuses:
	// IdentificationTooWeak (55), RedeemNotAllowed (57), InsufficientPoints
	// (51); InvalidAmount for a receipt out of bounds. Detail is a fixed
	// sentence for a decline. Declined decisions carry Total, Discount and
	// MaxRedeem; nothing is redeemed or earned.
	//
	// LimitExceededAmount (61) or LimitExceededCount (65) is a limit of the
	// guard; Field is then what of the request passes it, "" if nothing does by
	// itself.
	Code   protocol.Code
	Detail string
	Field  string

	Total         int64 // of the receipt, money
	Discount      int64 // money
	Redeemed      int64 // points, hundredths
	RedeemedMoney int64 // the same in money
	Payable       int64 // money: Total − Discount − RedeemedMoney
	Earned        int64 // points, hundredths
	MaxRedeem     int64 // points that "max" would take; 0 where spending isn't allowed

	// Lines are the receipt's lines; none for a receipt without lines.
	// LinePoints, aligned with Lines, is RedeemedMoney's share in points:
	// Σ LinePoints = Redeemed.
	Lines      []protocol.LineResult
	LinePoints []int64

	// Rules name every rule that contributed, in document order, discounts
	// first.
	Rules   []protocol.RuleResult
	Lots    []EarnedLot // Σ Points = Earned; the programme's own dates come first
	Hints   []protocol.Hint
	Skipped []protocol.Skipped // with Request.Explain
	// Warnings are fixed sentences.
	Warnings []string
	// Flags are for the office, one word each.
	Flags []string

	// Counts are the counters that the purchase changes. Gifts are points beside
	// Earned, and stand in Rules, too; Rewards go to the members above. Watches
	// are those of Counts that the guard compares with a limit.
	Counts  []CountChange
	Watches []Watch
	Gifts   []Gift
	Rewards []Reward
	// Promo says what became of each of the request's promo codes.
	Promo []protocol.PromoResult
	// Grant is a tier that the purchase buys or a promo code gives, until
	// GrantUntil, unix ns; "" for none.
	Grant      string
	GrantUntil int64

	// ExtendTo is where this purchase moves the expiry of lots that were there
	// before and end earlier (L3); 0: it moves nothing.
	ExtendTo int64
	// HoldSeconds is how long a hold lives: as asked, within the programme's
	// bounds.
	HoldSeconds int64

	// Tier is the one in force before the purchase ("" without tiers).
	// NextMissing is the money, minor units, that reaches NextTier ("" at the
	// top).
	Tier        string
	NextTier    string
	NextMissing int64

	scratch scratch
}

// Reset empties the decision and keeps the capacity of its slices.
func (d *Decision) Reset() {
	d.Code, d.Detail = protocol.Approved, ""
	d.Total, d.Discount, d.Redeemed, d.RedeemedMoney = 0, 0, 0, 0
	d.Payable, d.Earned, d.MaxRedeem = 0, 0, 0
	d.Lines, d.LinePoints = d.Lines[:0], d.LinePoints[:0]
	d.Rules, d.Lots = d.Rules[:0], d.Lots[:0]
	d.Hints, d.Skipped, d.Warnings = d.Hints[:0], d.Skipped[:0], d.Warnings[:0]
	d.Flags, d.Counts, d.Gifts, d.Rewards, d.Promo = d.Flags[:0], d.Counts[:0], d.Gifts[:0], d.Rewards[:0], d.Promo[:0]
	d.Watches, d.Field = d.Watches[:0], ""
	d.Grant, d.GrantUntil = "", 0
	d.ExtendTo, d.HoldSeconds = 0, 0
	d.Tier, d.NextTier, d.NextMissing = "", "", 0
}

// DeficitPolicy is what becomes of earned points that a return can't take
// back because they are spent.
type DeficitPolicy uint8

const (
	DeficitAllow   DeficitPolicy = iota // owed: later accruals repay it
	DeficitForgive                      // forgiven
)

// LatePolicy is what becomes of a confirm that comes after its hold has
// expired, when the points are no longer there.
type LatePolicy uint8

const (
	LateDeficit LatePolicy = iota // booked, the member owes the rest
	LatePark                      // parked for the office
)

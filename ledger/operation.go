package ledger

// Kind is what an operation is. The numbers are on disk: never renumber.
type Kind uint8

const (
	KindNone      Kind = 0
	KindAuthorize Kind = 1  // holds points and fixes a price
	KindAmend     Kind = 2  // replaces a hold's basket
	KindConfirm   Kind = 3  // books a hold: the sale
	KindVoid      Kind = 4  // releases a hold
	KindExpire    Kind = 5  // a hold has reached its end (due record)
	KindAccrue    Kind = 6  // one step: earn
	KindRedeem    Kind = 7  // one step: spend
	KindReturn    Kind = 8  // goods came back
	KindReverse   Kind = 9  // undoes what a request did
	KindEnrol     Kind = 10 // an account is created, provisional or registered
	KindRegister  Kind = 11 // a provisional member registers
	KindProfile   Kind = 12 // a profile has changed; the profile itself is not in the journal
	KindErase     Kind = 13 // a member is erased; the books stay
	KindActivate  Kind = 14 // pending lots become available (due record)
	KindLapse     Kind = 15 // lots expire (due record)
	KindAdjust    Kind = 16 // manual grant or charge
	KindCard      Kind = 17 // a card is added, changes its state or is replaced
	KindTier      Kind = 18 // a tier is assigned by hand
	KindEvent     Kind = 19 // an event of the member
	KindMerge     Kind = 20 // the account is merged into another
	KindPostOut   Kind = 21 // points leave for another account
	KindPostIn    Kind = 22 // points arrive from another account
	KindProgram   Kind = 23 // a programme is published
	KindPark      Kind = 24 // a message that can't be booked waits for the office
	KindResolve   Kind = 25 // the office has decided about a parked message
	KindShift     Kind = 26 // a shift was closed, or its totals differ
	KindMark      Kind = 27 // a reversal came before its original
	KindCode      Kind = 28 // a one-time code was issued
	KindWindow    Kind = 29 // a sealed window of the journal
	kindCount     Kind = 30
)

// Leg is an account of the chart. The first four belong to a member's
// account, the others to the programme. Every operation's legs add up to
// zero. The numbers are on disk.
type Leg uint8

const (
	LegAvailable Leg = iota // spendable now
	LegPending              // earned, not yet active
	LegHeld                 // pinned by holds
	LegDeficit              // owed by the member: zero or negative
	LegIssued               // programme: points given for purchases and events
	LegRedeemed             // programme: points spent
	LegExpired              // programme: points lapsed (breakage)
	LegAdjusted             // programme: manual grants and charges
	LegReferral             // programme: referral rewards
	LegTransit              // on the way between two accounts
	LegCount
)

// LotPart is a number of points, in minor units, with the dates of the lot
// they belong to. Active is when they become spendable, Expires when they
// lapse (unix nanoseconds; Expires 0 is never). Own marks a lot with a term of
// its own, which a purchase does not extend.
type LotPart struct {
	Active, Expires int64
	Points          int64
	Own             bool
}

// SameLot reports whether two parts belong to the same lot: lots with the
// same dates merge.
func (p LotPart) SameLot(q LotPart) bool {
	return p.Active == q.Active && p.Expires == q.Expires && p.Own == q.Own
}

// Line is one line of a sale, or what a return took of it; minor units of
// money, Earned in points, Quantity in thousandths.
type Line struct {
	ID, SKU, Category                          string
	Quantity, Price                            int64
	Amount, Discount, Redeemed, Earned, Points int64 // Redeemed in money, Points the same in points
}

// Rule is one rule's own figure in a decision, minor units of points.
type Rule struct {
	Name     string
	Points   int64
	Discount int64 // money off, minor units: of a discount's rule
}

// Hint is what was missing, in minor units of money, to a next step.
type Hint struct {
	Rule, Gives string
	Missing     int64
}

// DupRef says under which duplicate key an operation is remembered and what
// its request was. See [DupEntry].
type DupRef struct {
	Key   Key
	Entry DupEntry
	// New says that nothing is remembered under the key: the decider has looked
	// while it owned the key, so that Append need not look again. It is not
	// recorded.
	New bool
}

// Transfer is an outgoing posting: parts that are to be booked to another
// account, once ([KindPostIn]). Spent, Bought and Counts go along in a merge.
// Rule is, of a reward or of what is taken back of one, the rule that gave it:
// what can't be booked falls back to where rewards come from ([LegReferral]).
//
// Forgive says that what is taken back and is not there is forgiven instead of
// owed. Sale is, of what goes by a sale and may be forgiven, that sale: what
// was forgiven of it is not given again when the return is undone.
type Transfer struct {
	To       AccountID
	Rule     string
	Parts    []LotPart
	Spent    []DaySum
	Bought   Bought
	Counts   []CountChange
	Forgive  bool
	Sale     OpID
	Standing Standing
}

// Standing is what a transfer does to the standing of the member who gets it.
// Which of two tiers is the better one is the programme's to say
// ([Ledger.OnArrival]).
//
// Of a merge, Tier is the tier that the member was assigned, until Until. Of a
// return (Back) of a sale of a member who was merged, the tier that had come
// along until Was ends at Until now.
type Standing struct {
	Tier       string
	Until, Was int64 // unix ns; 0 for no end
	Back       bool
	Whole      bool   // nothing is left of the sale: the purchase counts back
	At         int64  // business date of the sale, unix ns
	Offset     int32  // of that date, seconds east of UTC
	Program    uint32 // the sale's version of the programme
}

// Bought are the purchases of an account: how many, and the business dates of
// the first and the newest, unix ns.
type Bought struct {
	Purchases   uint32
	First, Last int64
}

// Gift is points given under a rule's name beside what a purchase earns.
type Gift struct {
	Rule string
	Part LotPart
	// Line is the number, from 1, of the sale's line that has brought it: a
	// return of the line takes its share back. 0: the whole sale's. In the
	// record of a return it is still the sale's line.
	Line uint16
}

// Reward is what a purchase brings another member for having invited the
// buyer, or somebody who did. A fixed one is for the first purchase.
type Reward struct {
	To    AccountID
	Rule  string
	Part  LotPart
	Fixed bool
}

// WakeNever in [Operation.Wake] says that no event of the account has a date
// any more.
const WakeNever = -1

// DaySum is what a member paid in money on one local day (days since
// 1970-01-01), minor units.
type DaySum struct {
	Day   int32
	Spent int64
}

// Balance is an account's balance, minor units of points. Deficit is zero or
// negative, so that available + pending + held + deficit is what the member
// owns.
type Balance struct {
	Available, Pending, Held, Deficit int64
}

// Referrer is who invited the member who registers; 0 for nobody.
func (op *Operation) Referrer() AccountID { return nearest(op.Upline) }

// HoldSelf in [Operation.Hold] stands for the operation's own id, which
// nobody knows before [Tx.Append] gives it.
const HoldSelf = ^OpID(0)

// Operation is one record of the journal: what was asked, what was answered
// and every effect. It holds account ids and no identifier of a person.
//
// The decider fills all but ID, Time, Prev, Legs of the account and After,
// which [Tx.Append] sets. Strings may point into the request: Append copies.
type Operation struct {
	ID   OpID
	Kind Kind
	// Code is the answer in the numbers of the protocol's decline table; not
	// zero means declined (no effects) unless it says approved in part.
	Code uint8
	// Render is the version of the encoder that rendered the answer.
	Render uint8
	Time   int64 // booking: ledger time, unix ns, never goes back in a partition
	At     int64 // business date, unix ns
	Offset int32 // seconds east of UTC in which At was written
	Due    int64 // of due records: when it fell due; else 0

	Account AccountID
	Prev    OpID // the account's operation before this one; 0 for its first
	Parent  OpID // the hold or sale that it is about
	Target  OpID // of a reversal or resolution: what was undone or decided
	// Undoes is, of a reversal, the kind of what it undoes: it says what
	// becomes of the sale (see applySale).
	Undoes Kind
	// Figures is the record with the figures of the hold that ends: set by
	// Append where Drop is, so that the record alone tells the sale.
	Figures OpID
	Program uint32

	Merchant, Terminal, Store, Cashier, Channel string
	Receipt, Shift                              string
	Actor                                       string // name of the API key, for the audit
	Edge                                        uint8  // by which edge it came
	Offline, Late, Registered                   bool   // Late: booked in another month than At
	ISO                                         ISORef

	Dups []DupRef

	// Figures, minor units: money but for Points, Earned and MaxRedeem, which
	// are points.
	Total, Discount, Redeemed, Payable int64
	Points                             int64 // redeemed points
	Earned                             int64
	MaxRedeem                          int64
	Asked                              int64 // points asked for
	Lines                              []Line
	Rules                              []Rule
	Hints                              []Hint
	Warnings                           []string
	Flags                              []string // differences and guard flags, for the office
	Tier, NextTier                     string
	NextMissing                        int64
	Detail                             string // of a decline: the sentence; of an adjustment: its reason
	Field                              string
	Status                             string // the state the answer tells

	// Effects on the account, in the order in which Apply takes them.
	Extend    int64     // lots without a term of their own end at Extend, if that is later
	Drop      OpID      // the hold that ends
	Lots      []LotPart // added to the account's lots (negative: taken)
	Hold      OpID      // the hold that is put, 0 for none; HoldSelf for the operation's own id
	HoldUntil int64
	Pins      []LotPart   // what the hold pins, or what a sale has consumed
	EarnedLot LotPart     // the sale's own lot: its dates and points
	Owed      int64       // change of the deficit (negative: owes more)
	Spent     DaySum      // change of the money paid on its day
	Purchase  bool        // counts as a purchase (last purchase, first purchase); of a return, a reversal or what arrives of one: counts one back, or again if a return is undone
	TierUntil int64       // KindTier: end of the assignment, 0 for none
	Into      AccountID   // KindMerge: where the account lives on
	Upline    []AccountID // KindEnrol, KindRegister: who is above the member, nearest first
	Transfers []Transfer
	Source    OpID // KindPostIn: the operation that sent it
	// SourceIndex is, of KindPostIn, which of the source's transfers this is.
	SourceIndex uint16
	Sums        []DaySum // KindPostIn: sums that came along, in a merge
	// Bought are, of KindPostIn, the purchases that came along, in a merge.
	Bought Bought
	// Counts are changes of the account's counters; of an authorization or an
	// amendment they are reserved until the hold ends.
	Counts []CountChange
	// Gifts are points that are given beside what a purchase earns: by events
	// and promo codes. They are among Lots and in LegIssued.
	Gifts []Gift
	// Rewards are what the purchase brings those above the member; of a return,
	// what is taken back from them. Transfers move them.
	Rewards []Reward
	// Grant is a tier that the operation assigns until GrantUntil, unix ns; ""
	// for none.
	Grant      string
	GrantUntil int64
	// Wake is when the programme wants to look at the account again, unix ns; 0
	// leaves what was set, WakeNever clears it.
	Wake int64

	Legs  [LegCount]int64 // Σ = 0; the account's four are set by Append
	After Balance

	// Data is what only one kind has: the window, the shift's totals, the
	// parked message, the programme's hash. Its format is the kind's.
	Data []byte
}

// ISORef is what an ISO message is known by, for the answer to a repeat and
// for the journal: none of it is personal.
type ISORef struct {
	MTI, Processing, STAN, LocalTime, LocalDate, DE7, Currency string
}

// DupEntry is one remembered request under a duplicate key. Requests by
// idempotency key have one entry with an empty Disc; ISO messages share a key
// by terminal, class and STAN, and Disc (DE42, DE13, DE12) tells them apart.
type DupEntry struct {
	Disc  string
	Sent  []string // every DE7 seen for it
	Hash  [16]byte // of the request, under a key: the request names a person
	Op    OpID     // what it did; 0 for a mark
	Mark  bool     // a reversal came first: the request is declined when it comes
	Time  int64    // ledger time, unix ns
	Class string   // what the reversal named, for a mark
}

// ReceiptEntry is one operation known by a receipt number of a terminal.
type ReceiptEntry struct {
	Shift string
	Op    OpID // the authorization or sale; 0 for a mark
	Mark  bool
	Time  int64
}

package protocol

// LineResult is what the decision means for one line, minor units.
type LineResult struct {
	ID       string
	Amount   int64
	Discount int64
	Redeemed int64 // in money
	Points   int64 // the same in points
	Payable  int64
	Earned   int64
	Quantity int64   // thousandths
	Pieces   []Piece // where the line's price per unit is not exact
}

// Piece is a part of a line with one price per unit, as a fiscal receipt
// needs it. Quantity is in thousandths.
type Piece struct {
	Quantity int64
	Price    int64
}

// LotView is a lot as answers show it. Active and Expires are unix
// nanoseconds, 0 meaning at once and never.
type LotView struct {
	Points  int64
	Active  int64
	Expires int64
}

// RuleResult is one rule's own figure: points for a rule that earns, money off
// (minor units) for a discount.
type RuleResult struct {
	Rule     string
	Points   int64
	Discount int64
	Lines    []RuleLine // its figure line by line, where the request asks for explanation
}

// RuleLine is the part of a rule's figure that falls on one line: points or
// money off, as the rule's. Line is the line's number, from 1.
type RuleLine struct {
	ID       string
	Line     int
	Points   int64
	Discount int64
}

// PromoResult is what a promo code gave: points (hundredths), money off, a
// tier. Refused is why it could not be used, a word of a closed set, "" if it
// was; such a code gave nothing and is not used up.
type PromoResult struct {
	Code     string
	Points   int64
	Discount int64
	Tier     string
	Refused  string
}

// Hint says what is missing to the next step and what it gives: Missing in
// minor units of money, or Quantity in thousandths of a unit.
type Hint struct {
	Rule     string
	Missing  int64
	Quantity int64
	Gives    string
}

// Skipped says why a rule that looked likely did not apply.
type Skipped struct {
	Rule, Because string
}

// Balance is an account's balance after the operation, minor units of points.
// Deficit is positive when the member owes points.
type Balance struct {
	Available, Held, Pending, Deficit int64
}

// CardView is a card as answers show it; Number is masked but for its last
// four (a short one's last third), except where a card has just been drawn for a member. Expires is the
// end of its validity, unix nanoseconds, 0 for never.
type CardView struct {
	Number, Type, State string
	Expires             int64
}

// MemberView is a member as answers show it. The profile part is filled only
// for answers about members, and Name also for a quote. Card is the number that
// the request of a sale has named its member by; answers mask it.
type MemberView struct {
	ID           string
	Tier         string
	Registered   bool
	Name         string
	Profile      *Profile
	ReferralCode string
	Card         string
	Cards        []CardView
}

// Friend is one member whom another invited, directly (Level 1) or through
// others. Points is what the friend's purchases have brought so far.
type Friend struct {
	ID     string
	Level  int
	Since  int64 // unix ns: the registration
	Points int64
}

// Difference is one receipt on which the till and the host may disagree.
type Difference struct {
	Receipt   string
	Operation string
	Status    string
	Because   string
	Total     int64
	Redeemed  int64
}

// Parked is one thing that could not be booked by itself. Member is the account
// it is about, "" if none is known. Points are, of an adjustment, what it would
// grant or charge; of a transfer between members, what is on its way; of a
// sale, what it redeems.
type Parked struct {
	ID, Kind, Because, Authorization, Terminal, Store, Receipt, Shift string
	Member                                                            string
	Total, Redeemed, RedeemedMoney, Points                            int64 // Redeemed in points
	Since                                                             int64 // unix ns
	Status                                                            string
}

// BlockView is a terminal or a cashier on the block list. Reason is the
// office's, or the name of the guard's rule; By is the API key's name, "" where
// the guard has blocked. Since and Until are unix ns; Until 0 is no end.
type BlockView struct {
	Terminal, Cashier, Reason, By string
	Since, Until                  int64
}

// OperationView is one entry of a member's history.
type OperationView struct {
	ID, Kind, Status, Parent, Terminal, Store, Receipt string
	Time, At                                           int64 // unix ns: booking and business date
	Total, Discount, Redeemed, Payable, Earned         int64 // Redeemed in points
	RedeemedMoney                                      int64
	Points                                             int64 // what it changed of available + pending + held − deficit
	Balance                                            Balance
	Reason                                             string
}

// ProgramVersion is one published version of a programme.
type ProgramVersion struct {
	Version       uint32
	EffectiveFrom int64 // unix ns
	Published     int64 // unix ns
	Hash          string
	Name          string
	Actor         string // the name of the key that published it; "" without keys
	InForce       bool   // it decides what is sold now
}

// Change is one difference between two programme documents. Before and After
// are JSON, nil where the document has nothing there.
type Change struct {
	Path          string
	Before, After []byte
}

// Problem is one complaint about a programme document.
type Problem struct {
	Path, Message string
}

// Response is the answer to a Request, whichever edge renders it. For a
// booked operation every field is rendered from the recorded operation, so
// that a repeat gets the same bytes.
type Response struct {
	Call     Call // the shape of the answer; a replay keeps the original's
	Code     Code
	Created  bool   // 201 instead of 200
	Accepted bool   // 202: parked
	Replayed bool   // found under its duplicate key
	Detail   string // a sentence that helps; no personal data
	Field    string // the refused field
	// MaxPoints stands in declines of a redemption.
	MaxPoints    int64
	HasMaxPoints bool

	ID             string // operation id (an authorization's id)
	Status         string
	Parent         string // the authorization or sale it is about
	Into           string // merge: the member who lives on
	ProgramVersion uint32
	Member         MemberView
	HasMember      bool
	Total          int64
	Discount       int64
	Redeemed       int64 // points
	RedeemedMoney  int64 // the same in money
	Payable        int64
	Returned       Returned // of GetAuthorization: what has been returned
	Lines          []LineResult
	Earned         int64
	EarnedLots     []LotView
	Rules          []RuleResult
	Promo          []PromoResult
	Skipped        []Skipped
	Balance        Balance
	HasBalance     bool
	Posted         int64 // ledger balance: available + held
	MaxRedeem      int64
	Hints          []Hint
	Warnings       []string
	ExpiresAt      Time // of the hold or the code
	Slip           []string
	At             Time
	Time           int64 // booking, unix ns

	RRN      string // DE37
	Approval string // DE38

	// Answers of member and office calls.
	NextTier    string
	NextMissing int64
	Lots        []LotView
	Operations  []OperationView
	NextCursor  string
	OneTimeCode string
	Matched     bool
	Totals      ShiftTotals
	Differences []Difference
	Parked      []Parked
	Blocks      []BlockView
	Document    []byte
	ETag        string
	Versions    []ProgramVersion
	Problems    []Problem
	Changes     []Change // between Versions[0] and Versions[1]
	WhatIf      *WhatIf  // the replay of a draft
	Campaign    *CampaignView
	Count       int64 // rows a directory call has merged
	Card        CardView
	// A page of a directory, or of none of them; NextCursor is the id to go on
	// behind. Cashiers' cards are masked.
	Products  []ProductEntry
	Stores    []StoreEntry
	Cashiers  []CashierEntry
	Templates []CardTemplate
	// Numbers are those of a batch of new cards, in full: this answer is the
	// only place where they are told.
	Numbers  []string
	Template string
	// Series is that of coupons which were made; their codes are in Numbers.
	Series string
	// Points is what an adjustment or an event changed, signed minor units.
	Points int64
	// Referrer (a member's id, "" for none) and Friends are the referral's
	// answer; what all friends brought together is Points.
	Referrer string
	Friends  []Friend
}

// Returned are the sums that returns have taken from a sale so far.
type Returned struct {
	Payable, Redeemed, Earned int64
}

// Reset makes the response ready for the next answer and keeps the capacity
// of its slices.
func (r *Response) Reset() {
	*r = Response{
		Lines:      r.Lines[:0],
		EarnedLots: r.EarnedLots[:0],
		Rules:      r.Rules[:0],
		Promo:      r.Promo[:0],
		Skipped:    r.Skipped[:0],
		Hints:      r.Hints[:0],
		Warnings:   r.Warnings[:0],
		Slip:       r.Slip[:0],
		Lots:       r.Lots[:0],
		Member:     MemberView{Cards: r.Member.Cards[:0]},
	}
}

// Exchange is one request on its way through the switch and its answer. Done
// is called exactly once, from any goroutine, when the answer may be sent:
// everything it tells of is on disk by then. After Done the switch keeps no
// reference to the exchange.
type Exchange struct {
	Request  Request
	Response Response
	Done     func(*Exchange)
}

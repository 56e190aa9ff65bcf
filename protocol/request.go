package protocol

import "net/netip"

// Call names what a request asks for, whichever edge it came by.
type Call uint8

const (
	CallNone Call = iota
	CallQuote
	CallAuthorize
	CallGetAuthorization
	CallAmend
	CallConfirm
	CallVoid
	CallReverse
	CallAccrue
	CallRedeem
	CallReturn
	CallCreateMember
	CallGetMember
	CallPatchMember
	CallDeleteMember
	CallLookupMember
	CallBalance
	CallOperations
	CallIssueCode
	CallMemberEvent
	CallSetTier
	CallMerge
	CallReferral
	CallAdjust
	CallAddCard
	CallPatchCard
	CallReplaceCard
	CallCloseShift
	CallListParked
	CallResolveParked
	CallGetProgram
	CallPutProgram
	CallCheckProgram
	CallProgramVersions
	CallProgramDiff
	CallRestoreProgram
	CallPutProducts
	CallPutStores
	CallPutCashiers
	CallPutTemplates
	CallListProducts
	CallListStores
	CallListCashiers
	CallListTemplates
	CallCardBatch
	CallCoupons
	CallListBlocks
	CallPutBlock
	CallDeleteBlock
	CallExport
	CallEcho    // 0800: echo, sign-on, sign-off, cut-over; answered by the gateway
	CallUnknown // parsed, but no call of ours
	CallHealth  // these five are answered by the gateway itself
	CallReady
	CallMetrics
	CallOpenAPI
	CallProgramSchema
	CallWhatIf // answered by the replay beside the switch
	// What the office answers from the reporting database. The two about members
	// are files.
	CallListSegments
	CallSegmentMembers
	CallListGrants
	CallPreviewGrant
	CallListRuns
	CallRunMembers
	CallListReminders
	CallReport
	CallCount
)

// Role is what an API key may do; the matrix role × call is in docs/http.md.
type Role uint8

const (
	RoleNone Role = iota
	RoleTill
	RoleCheckout
	RoleFinance
	RoleMarketing
	RoleSupport
	RoleAdmin
	RoleAny // no keys configured: loopback only, every role
)

// Edge is the listener's protocol.
type Edge uint8

const (
	EdgeHTTP Edge = iota
	EdgeISO
)

// Caller is who sends the request, as the edge has established it.
type Caller struct {
	Key      string // the key's name, never the secret; "" when no keys are configured
	Merchant string // the merchant whose programme and members are meant; "" is the only one
	Role     Role
}

// IdentifierKind is how a member was named.
type IdentifierKind uint8

const (
	NoIdentifier IdentifierKind = iota
	ByID
	ByPhone
	ByCard
	ByCode
	ByEmail
)

// Identifier names a member. Value is personal data except for ByID: it never
// goes into a log, a metric, an error or the journal.
type Identifier struct {
	Kind  IdentifierKind
	Value string
}

// RedeemMode says how many points the till wants to spend.
type RedeemMode uint8

const (
	RedeemNone RedeemMode = iota
	RedeemPoints
	RedeemMax
)

// Redeem is the wish to pay with points. Points are minor units (hundredths
// of a point). Partial takes as many as are allowed when Points is too much.
type Redeem struct {
	Mode    RedeemMode
	Points  int64
	Partial bool
}

// Line is one line of a receipt. Price and Amount are minor units of money;
// Quantity is in thousandths (0.345 is 345, one piece is 1000). Amount is at
// most price × quantity (the till's own discount may have lowered it). A line
// that is Unpriced has the amount alone; rules about prices look at the list
// price of the product directory then.
type Line struct {
	ID       string
	SKU      string
	Name     string
	Category string
	Brand    string
	Supplier string
	Tags     []string
	Quantity int64
	Price    int64
	Amount   int64
	Unpriced bool // the line names no price, only its amount
}

// Payment is one way in which the money part is paid.
type Payment struct {
	Tender string
	Amount int64 // minor units
}

// Receipt is the fiscal receipt: number and shift as the till prints them.
type Receipt struct {
	Number string
	Shift  string
}

// Time is a moment with the offset that the sender wrote. Unix is in
// nanoseconds; zero with Set false is absent.
type Time struct {
	Unix   int64
	Offset int32 // seconds east of UTC
	Set    bool
}

// Printed are figures as the till has printed them, minor units.
type Printed struct {
	Redeemed    int64
	Payable     int64
	HasRedeemed bool
	HasPayable  bool
}

// ReturnLine is one line of a return; Quantity in thousandths, zero for all
// that is left of the line.
type ReturnLine struct {
	ID       string
	Quantity int64
}

// STANRef names an ISO message by what its sender knows of it (DE90): class
// of the MTI (its first three digits), DE11 and DE7. DE7 "" matches any.
type STANRef struct {
	Class string
	STAN  string
	DE7   string
}

// ISO holds what the ISO edge needs to keep of a message beside the common
// part: the parts of the duplicate key and the fields echoed in the answer.
type ISO struct {
	MTI        string
	Processing string // DE3
	DE7        string
	STAN       string // DE11
	LocalTime  string // DE12
	LocalDate  string // DE13
	DE37       string // as sent
	Original   STANRef
	HasDE90    bool
	Currency   string // DE49
	Advice     bool   // accepted once it parses; parked when it can't be booked

	DE4   string // as sent, for the echo; the amount itself is in Total or ReturnAmount
	DE32  string // acquirer
	DE60  string // as sent, for the echo
	Shift string // DE60's shift: the one in which this message was made
	DE70  string // network management code
	ByDE7 bool   // the listener's profile takes DE7 in place of DE12/13 into the duplicate key
}

// ShiftTotals are the totals of one till's shift, minor units of money.
// Sales are receipts booked after discounts (money + points); Returns what was
// returned or reversed of them; Redeemed and GivenBack their points in money;
// Net = Sales − Returns − Redeemed + GivenBack.
type ShiftTotals struct {
	SalesCount, Sales         int64
	ReturnsCount, Returns     int64
	RedeemedCount, Redeemed   int64
	GivenBackCount, GivenBack int64
	Net                       int64
}

// Profile is a member's personal data as sent. A nil pointer is "not sent",
// which PATCH distinguishes from empty.
type Profile struct {
	Phone      *string
	Email      *string
	Name       *string
	Birthday   *string // YYYY-MM-DD
	Sex        *string
	ExternalID *string
	Tags       []string
	HasTags    bool
	Consent    map[string]bool
	HasConsent bool
	PromoCode  string     // of the registration
	Source     string     // where that code was published; in answers only
	Referrer   Identifier // ByPhone, ByID or ByCode (referral code)
}

// Request is one message of a till, a shop or an office. Both edges decode
// into it. Its strings may point into Buffer: they are valid until Reset.
// Fields that the call does not use are zero.
type Request struct {
	Call   Call
	Edge   Edge
	Caller Caller
	// Origin is the network address that the request comes from, for limits
	// only (an IPv6 caller is its /64); it is recorded and told nowhere.
	Origin netip.Prefix

	// Key is the client's idempotency key (header or DE48 06); "" if the ISO
	// message is known by its STAN alone. Hash is over what must be equal in a
	// repeat: method, path and body, or the message less the repeat digit,
	// DE7, 53, 64 and 128.
	Key  string
	Hash [16]byte

	Terminal, Store, Cashier, Channel, StoreGroup string
	Receipt                                       Receipt
	At                                            Time
	Member                                        Identifier
	HasBasket                                     bool
	Total                                         int64 // of the receipt before our discounts; equals Σ Lines when there are lines
	Lines                                         []Line
	Payments                                      []Payment
	Redeem                                        Redeem
	PromoCodes                                    []string
	HoldSeconds                                   int64 // 0: the programme's default
	Offline                                       bool
	Explain                                       bool // list also the rules that did not apply

	// Target is the id in the path (authorization, member, card number, parked
	// item), or DE37 / DE48 05.
	Target string
	// Printed belongs to confirm, and by ISO 8583 to the accrual of a till that
	// was cut off.
	Printed Printed

	// TargetKey, with Terminal, names the request to reverse by its
	// idempotency key; Receipt with Terminal and Store is the other way.
	TargetKey string

	// ReturnLines or ReturnAmount (money + points, minor units); neither: all.
	ReturnLines  []ReturnLine
	ReturnAmount int64

	ISO ISO

	// What office and member calls carry.
	Profile  *Profile
	Points   int64  // adjustment, signed minor units
	Reason   string // adjustment, parked resolution
	Action   string // parked resolution: book or reject
	Event    string
	Tier     string
	Until    Time
	Into     string // merge
	Card     Card
	Totals   ShiftTotals
	Document []byte // programme
	IfMatch  string
	Version  uint32 // of a programme: the one to show, or the older one of a difference; 0: not said
	Against  uint32 // the newer one of a difference; 0: not said
	Cursor   string
	Limit    int
	From, To Time
	Format   string
	Stores   []StoreEntry
	Products []ProductEntry
	Cashiers []CashierEntry
	// Templates are rows of the directory of card templates; Count is the
	// number of cards of a batch.
	Templates []CardTemplate
	Count     int64
	Series    string // of coupons to be made: Count of them
	// Grant, of an adjustment, is what the programme grants; no edge sets it.
	Grant *GrantOrder

	// Buffer owns the bytes that strings of this request point into.
	Buffer []byte
}

// Card is a card as sent: number, type and, for a change, its state (new,
// active, blocked, closed, completed). Template names the card template that
// a number is drawn by, instead of Number.
type Card struct {
	Number, Type, State, Template string
}

// Reset makes the request ready for the next message and keeps the capacity
// of its slices.
func (r *Request) Reset() {
	*r = Request{
		Lines:       r.Lines[:0],
		Payments:    r.Payments[:0],
		PromoCodes:  r.PromoCodes[:0],
		ReturnLines: r.ReturnLines[:0],
		Buffer:      r.Buffer[:0],
	}
}

package ledger

import "slices"

// Account is what points belong to: one member, or several cards of a family
// or a firm. Its state is what its journal records have made of it.
type Account struct {
	ID         AccountID
	Merchant   string
	Registered bool // else provisional: may earn, not spend
	Erased     bool
	Into       AccountID // merged: where it lives on; 0 if it lives here
	Created    int64     // unix ns
	Joined     int64     // registration, unix ns; 0 while provisional
	// Upline are the members above: who invited this one, who invited that one
	// and so on, at most MaxUpline. It is fixed at registration.
	Upline []AccountID

	// Through is the time up to which everything that fell due is in the
	// journal. A lot is pending while its Active is after Through.
	Through int64
	Last    OpID // its newest operation

	// Lots are ordered by (Expires, Active), lots that never expire last:
	// the order in which points are spent (L1). No two have the same dates.
	Lots    []LotPart
	Holds   []Hold
	Deficit int64 // zero or negative, minor units of points

	Tier      string // assigned by hand; "" if none
	TierUntil int64  // its end, unix ns; 0 for none

	Lifetime      int64 // money paid, minor units
	Days          []DaySum
	Purchases     uint32
	LastPurchase  int64 // business date of the newest purchase, unix ns
	FirstPurchase int64

	// Counts are the counters that rules keep, ordered by (Key, Bucket).
	Counts []Count
	// Wake is when the programme wants to look at the account again, because
	// an event of its has a date; unix ns, 0 for never.
	Wake int64

	// Scheduled is the second (unix time) of the account's entry in the
	// due index, 0 for none.
	Scheduled int64
}

// Hold is points pinned for an authorization. Its figures are in the journal
// under Op, its newest record (an amendment replaces it); ID stays.
type Hold struct {
	ID    OpID
	Op    OpID
	Until int64 // unix ns, ledger time
	Pins  []LotPart
	// Counts are what the decision has reserved: they count while the hold is
	// pending, and its end takes them back by itself.
	Counts []CountChange
}

// Held is what the hold pins, in minor units of points.
func (h *Hold) Held() int64 {
	var sum int64
	for _, p := range h.Pins {
		sum += p.Points
	}
	return sum
}

// Referrer is who invited the member; 0 for nobody.
func (a *Account) Referrer() AccountID { return nearest(a.Upline) }

func nearest(upline []AccountID) AccountID {
	if len(upline) == 0 {
		return 0
	}
	return upline[0]
}

// Above are those of the upline that are still above the member when others
// have become one with it: where one of these is among them, whoever stood
// between stands below the member now.
func (a *Account) Above(one []AccountID) []AccountID {
	first := len(a.Upline)
	for first > 0 && !slices.Contains(one, a.Upline[first-1]) {
		first--
	}
	return a.Upline[first:]
}

// Balance adds up the account's lots and holds.
func (a *Account) Balance() Balance {
	b := Balance{Deficit: a.Deficit}
	for _, l := range a.Lots {
		if l.Active > a.Through {
			b.Pending += l.Points
		} else {
			b.Available += l.Points
		}
	}
	for i := range a.Holds {
		b.Held += a.Holds[i].Held()
	}
	return b
}

// Hold finds a hold by its id; nil if there is none.
func (a *Account) Hold(id OpID) *Hold {
	for i := range a.Holds {
		if a.Holds[i].ID == id {
			return &a.Holds[i]
		}
	}
	return nil
}

// SaleStatus is the state of an authorization or sale that is no longer
// pending. The numbers are on disk.
type SaleStatus uint8

const (
	SalePending   SaleStatus = 0 // lives in the account's holds; no sale record yet
	SaleConfirmed SaleStatus = 1
	SaleVoided    SaleStatus = 2
	SaleExpired   SaleStatus = 3
	SaleReversed  SaleStatus = 4 // the whole sale was undone
	SaleParked    SaleStatus = 5 // its confirm waits for the office
)

func (s SaleStatus) String() string {
	switch s {
	case SalePending:
		return "pending"
	case SaleConfirmed:
		return "confirmed"
	case SaleVoided:
		return "voided"
	case SaleExpired:
		return "expired"
	case SaleReversed:
		return "reversed"
	case SaleParked:
		return "parked"
	}
	return "unknown"
}

// SaleLine is a line of a booked sale and what returns have taken of it.
type SaleLine struct {
	Line
	Back LineBack
}

// LineBack are the sums that returns have taken of a line so far, minor
// units, Quantity in thousandths.
type LineBack struct {
	Quantity, Payable, Redeemed, Points, Earned, Discount, Amount int64
}

// Sale is the state of a booked sale, or of an authorization that has ended:
// what a return, a late message or a look-up needs. It is found under the
// operation id of its authorization or one-step operation.
type Sale struct {
	ID      OpID
	Account AccountID
	Status  SaleStatus
	Record  OpID // the journal record that holds its figures
	Booked  int64
	At      int64
	Program uint32

	Terminal, Store, Receipt, Shift string

	Total, Discount, Redeemed, Payable int64
	Points, Earned                     int64
	Lines                              []SaleLine
	Back                               LineBack  // over all lines
	Pins                               []LotPart // lots whose points it has consumed, in order
	Restored                           []LotPart // of Pins, what returns gave back
	EarnedLot                          LotPart
	Day                                int32 // local day its money counts for

	// What the sale has done beside its figures. A return derives its share
	// from these and from Back: they never change.
	Counts  []CountChange
	Gifts   []Gift
	Rewards []Reward
}

// Link is what an identifier leads to. It lives under a keyed hash of the
// identifier and is no part of the journal.
type Link struct {
	Account AccountID
	Kind    uint8  // kind of identifier, in the protocol's numbers
	State   uint8  // of a card: CardNew …; else 0
	Type    string // of a card
	Last4   string // of a card: its last four digits, for people
	Expires int64  // of a card, unix ns; 0 for never
}

// Card states; the numbers are on disk.
const (
	CardNew uint8 = iota + 1
	CardActive
	CardBlocked
	CardClosed
	CardCompleted
)

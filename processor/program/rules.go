package program

import "strings"

// all is the index of "no selector": a rule about every line.
const all = -1

// set is a list of names; a long one is indexed.
type set struct {
	list  []string
	index map[string]struct{}
}

// indexedFrom is the length from which looking a name up in a map is quicker
// than comparing it with each of a list.
const indexedFrom = 12

func newSet(names []string) set {
	s := set{list: names}
	if len(names) >= indexedFrom {
		s.index = make(map[string]struct{}, len(names))
		for _, n := range names {
			s.index[n] = struct{}{}
		}
	}
	return s
}

func (s *set) has(name string) bool {
	if s.index != nil {
		_, ok := s.index[name]
		return ok
	}
	for _, n := range s.list {
		if n == name {
			return true
		}
	}
	return false
}

func (s *set) hasAny(names []string) bool {
	for _, n := range names {
		if s.has(n) {
			return true
		}
	}
	return false
}

func (s *set) empty() bool { return len(s.list) == 0 }

func (s *set) String() string { return strings.Join(s.list, ", ") }

// selector picks lines (`goods`): every key that it names must hold, each by
// any of its values.
type selector struct {
	sku, category, brand, supplier, tag set
	priceFrom, priceBelow               int64 // money per unit; [from, below)
	priced                              bool
}

// fact is one kind of condition of `when`.
type fact uint8

const (
	factTier fact = iota
	factCardType
	factChannel
	factStore
	factStoreGroup
	factPartner
	factCashier
	factTender
	factTag
	factWeekdays
	factHours
	factBetween
	factBirthday
	factLastWithin
	factLastBefore
	factFirst
	factReceipt
	factSpent
	factReceiptHas
	factPromo
	factBought
	factSinceFirst
	factSinceReached
	factCount
)

// cond is a compiled `when`: all of its checks must hold, in their order.
type cond struct {
	checks []check
	promo  bool // one of them asks for a promo code
	lacks  bool // one of them is of a kind whose lack is worth a hint
}

// check is one condition. Which fields count depends on its kind; because is
// what Explain says when it doesn't hold.
type check struct {
	kind     fact
	names    set    // tier … tag
	levels   uint64 // factTier: bit per level
	weekdays uint8  // bit 0 is Monday
	from, to int64  // minutes, local days, money or days before and after, by kind
	above    bool   // factSpent: more than from; else from and more
	within   Term
	want     bool // factFirst
	goods    int  // factReceiptHas: a selector
	quantity int64
	places   []uint64 // factSpent: counters of what was paid at some stores
	codes    []int32  // factPromo: entries of promo_codes
	ref      int      // factBought, factSinceFirst, factSinceReached: what it looks back on
	look     int      // of a segment: the figure of PostgreSQL that it asks, its place in looks + 1
	because  string
}

// ceiling bounds what rules give on a line, as a share of it.
type ceiling struct {
	goods int
	rate  uint64
}

// stacking says which of the rules that match win.
type stacking uint8

const (
	stackMax stacking = iota
	stackSum
	stackPriority
)

// earnKind is what an earning rule gives.
type earnKind uint8

const (
	earnPercent earnKind = iota
	earnLadder
	earnPerLine
	earnPerUnit
	earnPerReceipt
	earnAdd
	earnMultiply
)

// step of a ladder: receipts below the limit, or up to and with it. The last
// may have no limit.
type step struct {
	limit     int64
	inclusive bool
	rate      uint64
	gives     string // "10 %", for hints
}

func (s *step) covers(sum int64) bool {
	return sum < s.limit || sum == s.limit && s.inclusive
}

// next is the smallest sum above the step.
func (s *step) next() int64 {
	if s.inclusive {
		return s.limit + 1
	}
	return s.limit
}

type earnRule struct {
	name     string
	kind     earnKind
	when     *cond // nil: always
	goods    int
	rate     uint64 // of rateUnit
	points   int64
	num, den uint64 // of multiply, reduced
	steps    []step
	own      bool // has a lot of its own
	lotAfter Term
	lotLife  Term
	gives    string // for hints
	again    string // for hints to come again in time
}

// competes reports whether a rule is in a group: all but those that change what
// others give.
func (r *earnRule) competes() bool { return r.kind != earnAdd && r.kind != earnMultiply }

type earnRules struct {
	present   bool
	gross     bool
	stack     stacking
	onReceipt bool
	never     int // selector, or all for none
	ceilings  []ceiling
	rules     []earnRule
	groups    [][]int // the rules that compete with each other, by number
}

type discountKind uint8

const (
	cutPercent discountKind = iota
	cutPerLine
	cutPerUnit
	cutPerReceipt
	cutPrice
	cutUnits // take and pay, every
	cutBundle
	cutMultiply
)

type bundlePart struct {
	goods    int
	quantity int64
	rate     uint64
}

type discountRule struct {
	name     string
	kind     discountKind
	when     *cond
	goods    int
	rate     uint64
	minus    int64
	price    int64
	take     int64 // units of a group
	free     int64 // of them, the cheapest, get rate off
	num, den uint64
	parts    []bundlePart
	across   bool   // units are counted across receipts,
	key      uint64 // by this counter
	given    uint64 // counter of what it made free, in thousandths of a unit
	gives    string // of units, for hints
}

type discounts struct {
	present  bool
	priority bool // else the largest
	never    int
	ceilings []ceiling
	rules    []discountRule
	groups   [][]int // the rules that compete with each other, by number
}

// spendCap is an entry of `caps`: without goods a cap of the receipt, with
// goods a ceiling of lines.
type spendCap struct {
	name  string // its place in the document, for Explain
	when  *cond
	goods int
	rate  uint64
}

// rateUnit is what all rates are parts of: percent with four digits after the
// point. Figures are kept in the same parts of the minor unit.
const rateUnit = 1_000_000

type redeemRules struct {
	present  bool
	card     bool
	code     bool
	either   bool
	eligible bool // cap_of
	cap      uint64
	caps     []spendCap
	never    int
	floor    int64
	offline  offlineLimit
}

// offlineLimit is how many points a till that is cut off may take without
// asking, hundredths: the risk that the shop bears, because the member may not
// have them. Zeros: none.
type offlineLimit struct {
	perReceipt int64
	perDay     int64 // of a member, by the receipts' own days
}

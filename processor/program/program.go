package program

import (
	"time"
)

// Lots are the terms of a programme's points (L1–L5). Terms of zero: at once
// (ActiveAfter), never (ExpiresAfter), not at all (the others).
type Lots struct {
	ActiveAfter      Term
	ExpiresAfter     Term // begins at activation
	ExtendOnPurchase Term
	GraceOnReturn    Term
	Deficit          DeficitPolicy
}

// Program is a compiled programme document. It never changes, so any number
// of goroutines may use one.
type Program struct {
	name      string
	currency  string
	zone      *time.Location
	effective int64
	dated     bool

	value  int64 // of one point: money units × 10,000
	round  int64 // points are rounded to multiples of this, hundredths
	halfUp bool

	lots  Lots
	tiers tiers

	selectors []selector
	index     index
	discounts discounts
	earn      earnRules
	redeem    redeemRules
	events    eventRules
	places    []place // whose sums conditions ask for
	profile   bool    // rules ask for the member's birthday or tags
	referral  referral
	guard     guard
	segments  []Segment
	grants    []Grant
	remind    []reminder

	promos     []promo
	promoCodes map[string]int // by the folded code
	series     []int
	bought     []boughtCounter
	firsts     []firstUse
	reached    []reachedSum

	holdDefault int64 // seconds
	holdMax     int64
	late        LatePolicy
	backdate    time.Duration
}

// Name is the programme's own name.
func (p *Program) Name() string { return p.name }

// Currency is the ISO 4217 code of the programme's money.
func (p *Program) Currency() string { return p.currency }

// Value is what a point is worth: money units × 10,000.
func (p *Program) Value() int64 { return p.value }

// Zone is the programme's time zone.
func (p *Program) Zone() *time.Location { return p.zone }

// EffectiveFrom is the moment, unix ns, from which the document says that it
// is in force; false if it doesn't say, which means its publication.
func (p *Program) EffectiveFrom() (int64, bool) { return p.effective, p.dated }

// Lots are the terms of the programme's points.
func (p *Program) Lots() Lots { return p.lots }

// Deficit is what becomes of points that a return can't take back.
func (p *Program) Deficit() DeficitPolicy { return p.lots.Deficit }

// Late is what becomes of a confirm after its hold has expired.
func (p *Program) Late() LatePolicy { return p.late }

// Backdate is how old an offline receipt may be.
func (p *Program) Backdate() time.Duration { return p.backdate }

// Holds are the default and the longest life of a hold.
func (p *Program) Holds() (usual, longest time.Duration) {
	return time.Duration(p.holdDefault) * time.Second, time.Duration(p.holdMax) * time.Second
}

// HasTier reports whether the programme has a level of this name.
func (p *Program) HasTier(name string) bool { return p.tiers.find(name) >= 0 }

// inZone is the zone that calendar rules use: the store's, else the
// programme's.
func (p *Program) inZone(zone *time.Location) *time.Location {
	if zone != nil {
		return zone
	}
	return p.zone
}

// LotEnd is when points that may be spent from a moment on (unix ns) are gone;
// 0: never. A nil zone is the programme's.
func (p *Program) LotEnd(active int64, zone *time.Location) int64 {
	_, expires := lotDates(Term{}, p.lots.ExpiresAfter, clampMoment(active), &Almanac{zone: p.inZone(zone)})
	return expires
}

// lotDates are the dates of points earned at a moment: from when they may be
// spent (at itself if at once) and when they are gone (0: never).
func lotDates(after, life Term, at int64, a *Almanac) (active, expires int64) {
	active = after.from(at, a)
	if !life.Zero() {
		expires = life.until(active, a)
	}
	return active, expires
}

// ExtendTo is the moment to which a purchase moves the expiry of the points
// that are there, where that is later; 0 if the programme doesn't. A nil zone is
// the programme's.
func (p *Program) ExtendTo(at int64, zone *time.Location, days *Almanac) int64 {
	days.in(p.inZone(zone))
	return p.extendTo(clampMoment(at), days)
}

func (p *Program) extendTo(at int64, a *Almanac) int64 {
	if p.lots.ExtendOnPurchase.Zero() {
		return 0
	}
	return p.lots.ExtendOnPurchase.until(at, a)
}

// GraceUntil is when points end that a return gives back to a lot that has
// expired meanwhile; 0 if they are gone with it.
func (p *Program) GraceUntil(at int64, zone *time.Location) int64 {
	if p.lots.GraceOnReturn.Zero() {
		return 0
	}
	return p.lots.GraceOnReturn.until(clampMoment(at), &Almanac{zone: p.inZone(zone)})
}

// valueUnit is what value is counted in: ten-thousandths of the money unit.
const valueUnit = 10_000

// Money is what a number of points pays for, rounded down.
func (p *Program) Money(points int64) int64 {
	if p.value == valueUnit {
		return points
	}
	q, _ := mul64(uint64(points), uint64(p.value)).div(valueUnit)
	return int64(q)
}

// Price is the least number of points that pays a sum of money: points that
// would buy less than the smallest coin are not taken.
func (p *Program) Price(money int64) int64 {
	if p.value == valueUnit {
		return money
	}
	q, rest := mul64(uint64(money), valueUnit).div(uint64(p.value))
	if rest > 0 {
		q++
	}
	return int64(q)
}

// Points is how many points a sum of money covers, rounded down.
func (p *Program) Points(money int64) int64 {
	if p.value == valueUnit {
		return money
	}
	q, _ := mul64(uint64(money), valueUnit).div(uint64(p.value))
	return int64(q)
}

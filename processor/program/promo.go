package program

import (
	"strings"

	"tillgate/protocol"
)

// PromoUse is one promo code that a request carries, as the processor has
// looked it up ([Program.Promo], [Program.Series]).
type PromoUse struct {
	Code    string       // as the answer shows it
	Entry   int          // its place in the programme's promo_codes; ignored for Unknown
	Coupon  int64        // number of the coupon in its series; 0 for a code that everybody may use
	Refused PromoRefusal // what only the processor knows: Unknown, Repeated, UsedUp
}

// PromoRefusal is why a promo code can't be used. It never stops a sale.
type PromoRefusal uint8

const (
	PromoUsable     PromoRefusal = iota
	PromoUnknown                 // no code of the programme, or a coupon that was never made
	PromoRepeated                // the request names it twice
	PromoNoMember                // nobody is named who could use it
	PromoNotYet                  // before `from`
	PromoExpired                 // after `until`
	PromoElsewhere               // at a store of another partner
	PromoMemberUsed              // the member has used it as often as allowed
	PromoUsedUp                  // all members together have
	PromoConditions              // its own `when` doesn't hold
	PromoAtTill                  // it is good for purchases only, and this is a registration
	PromoTier                    // the member has the tier, or a better one
	PromoNoEffect                // nothing on this receipt turns on it; it is not used up
	promoRefusals
)

// promoWords are the reasons as answers carry them: a closed set.
var promoWords = [promoRefusals]string{
	PromoUnknown: "unknown", PromoRepeated: "repeated", PromoNoMember: "no_member", PromoNotYet: "not_yet",
	PromoExpired: "expired", PromoElsewhere: "elsewhere", PromoMemberUsed: "used_by_member", PromoUsedUp: "used_up",
	PromoConditions: "conditions", PromoAtTill: "purchases_only", PromoTier: "tier_not_higher", PromoNoEffect: "no_effect",
}

// promoWarnings are the same for people. None names a code: what customers
// type may be anything.
var promoWarnings = [promoRefusals]string{
	PromoUnknown:    "a promo code was not used: it is not known",
	PromoRepeated:   "a promo code was not used: it stands twice",
	PromoNoMember:   "a promo code was not used: it needs a member",
	PromoNotYet:     "a promo code was not used: it is not valid yet",
	PromoExpired:    "a promo code was not used: it is no longer valid",
	PromoElsewhere:  "a promo code was not used: it is valid in other stores",
	PromoMemberUsed: "a promo code was not used: the member has used it before",
	PromoUsedUp:     "a promo code was not used: it has been used up",
	PromoConditions: "a promo code was not used: its conditions do not hold",
	PromoAtTill:     "a promo code was not used: it is for purchases",
	PromoTier:       "a promo code was not used: the member has that tier or a better one",
	PromoNoEffect:   "a promo code was not used: it gives nothing on this receipt",
}

// String is the reason as answers carry it; "" for none.
func (r PromoRefusal) String() string {
	if r < promoRefusals {
		return promoWords[r]
	}
	return ""
}

// PromoWarning is the sentence for people about a code that was refused; why is
// the reason as answers carry it.
func PromoWarning(why string) string {
	for r, word := range promoWords {
		if word == why {
			return promoWarnings[r]
		}
	}
	return "a promo code was not used"
}

// promo is an entry of `promo_codes`.
type promo struct {
	name            string // the code, or the name of the series
	serial          bool
	source, partner string
	when            *cond
	points          int64 // a gift; 0: none
	own             bool  // has a lot of its own
	lotAfter        Term
	lotLife         Term
	rate            uint64 // off the goods
	minus           int64
	goods           int
	tier            int // level; −1: none
	tierFor         Term
	perMember       int64 // 0: as often as they like
	limit           int64 // 0: none
	from, until     int32 // local days, both included; 0: open
	asked           bool  // a rule's `when` asks for it
}

func (e *promo) cuts() bool { return e.rate > 0 || e.minus > 0 }

// Promo is what the processor and the office need of an entry of promo_codes.
type Promo struct {
	Name   string // the code, or the series
	Series bool   // coupons: each works once
	Source string
	// Limit is how often all members together may use it, PerMember one of them;
	// 0: as often as they like.
	Limit, PerMember int64
}

// foldCode is a promo code as it is compared: people type and tell them.
func foldCode(code string) string { return strings.ToUpper(strings.TrimSpace(code)) }

// Promo finds a code that everybody may use, whatever its letters' case.
func (p *Program) Promo(code string) (entry int, ok bool) {
	entry, ok = p.promoCodes[foldCode(code)]
	return entry, ok
}

// PromoEntry is the entry of a place that Promo or Series has named.
func (p *Program) PromoEntry(entry int) Promo {
	e := &p.promos[entry]
	return Promo{Name: e.name, Series: e.serial, Source: e.source, Limit: e.limit, PerMember: e.perMember}
}

// Series are the places of the entries with coupons; not to be changed.
func (p *Program) Series() []int { return p.series }

// CodeTier is a tier that a promo code gives: Name and Series are its entry.
type CodeTier struct {
	Name   string
	Series bool
	Coupon int64
	Gives  Assigned
}

// PromoGives is the tier that an entry gives with a purchase of a moment, unix
// ns; the zero value for none.
func (p *Program) PromoGives(entry int, at int64) Assigned {
	e := &p.promos[entry]
	if e.tier < 0 {
		return Assigned{}
	}
	return p.promoTier(e, clampMoment(at), &Almanac{zone: p.zone})
}

func (p *Program) promoTier(e *promo, at int64, days *Almanac) Assigned {
	return Assigned{p.tiers.levels[e.tier].name, e.tierFor.until(at, days)}
}

// PromoNamed finds an entry by its name: a code as it is written, or a series.
func (p *Program) PromoNamed(name string, series bool) (entry int, ok bool) {
	for i := range p.promos {
		if p.promos[i].name == name && p.promos[i].serial == series {
			return i, true
		}
	}
	return 0, false
}

// PromoKey is the counter of an entry's uses, one for each merchant: shared
// counters of several merchants lie side by side.
func PromoKey(merchant, name string, series bool) uint64 {
	if series {
		return CountKey("series", merchant, name)
	}
	return CountKey("promo", merchant, name)
}

// CouponKey is the counter that says whether a coupon has been used.
func CouponKey(merchant, series string, coupon int64) uint64 {
	const prime = 1099511628211
	h := CountKey("coupon", merchant, series)
	for range 8 {
		h = (h ^ uint64(coupon&0xff)) * prime
		coupon >>= 8
	}
	return h
}

// promoState is what becomes of one of the request's codes.
type promoState struct {
	refused PromoRefusal
	cut     int64 // money off
	points  int64
	tier    string
	opened  bool // a rule that asks for it counts
}

// promos finds which of the request's codes can be used.
func (j *judge) promos() {
	uses := j.f.Promos
	j.codes = resize(j.codes, len(uses))
	j.sum = j.d.Total
	for k := range uses {
		j.codes[k].refused = j.promoRefused(k)
	}
}

func (j *judge) promoRefused(k int) PromoRefusal {
	u := &j.f.Promos[k]
	if u.Refused == PromoUnknown || u.Entry < 0 || u.Entry >= len(j.p.promos) {
		return PromoUnknown
	}
	e := &j.p.promos[u.Entry]
	day := j.days.dayOf(j.at)
	switch {
	case u.Refused == PromoRepeated:
		return PromoRepeated
	case !j.f.Present:
		return PromoNoMember
	case e.from != 0 && day < e.from:
		return PromoNotYet
	case e.until != 0 && day > e.until:
		return PromoExpired
	case e.partner != "" && e.partner != j.f.Partner:
		return PromoElsewhere
	case e.perMember > 0 && j.usedBefore(k) >= e.perMember:
		return PromoMemberUsed
	case u.Refused != PromoUsable:
		return u.Refused
	case !j.holds(e.when, ""):
		return PromoConditions
	case j.registers && e.points == 0 && e.tier < 0:
		return PromoAtTill
	case e.tier >= 0 && !j.lifts(e):
		return PromoTier
	}
	return PromoUsable
}

// usedBefore is how often the member has used an entry, with what this request
// carries of it before the k-th code.
func (j *judge) usedBefore(k int) int64 {
	uses := j.f.Promos
	e := &j.p.promos[uses[k].Entry]
	n := j.f.counted(PromoKey(j.r.Caller.Merchant, e.name, e.serial), 0)
	for i := range k {
		if uses[i].Entry == uses[k].Entry && j.codes[i].refused == PromoUsable {
			n++
		}
	}
	return n
}

// lifts reports whether an entry's tier is more than what the member has been
// assigned already, or has beside it.
func (j *judge) lifts(e *promo) bool {
	has, gives := Assigned{j.f.AssignedTier, j.f.AssignedUntil}, j.tierOf(e)
	if j.p.Assign(has, gives, j.now) == has {
		return false
	}
	floor, _ := j.p.Floor(gives)
	for k := e.tier; k < len(j.p.tiers.levels); k++ {
		until := j.f.Kept(j.p.tiers.levels[k].floor)
		if until > j.now && (k > e.tier || until >= floor.At) {
			return false
		}
	}
	return true
}

func (j *judge) tierOf(e *promo) Assigned {
	return j.p.promoTier(e, j.at, &j.home)
}

// carried reports whether the request carries any of some codes that can be
// used.
func (j *judge) carried(entries []int32) bool {
	for _, e := range entries {
		for k := range j.codes {
			if j.codes[k].refused == PromoUsable && int32(j.f.Promos[k].Entry) == e {
				return true
			}
		}
	}
	return false
}

// opens notes that the codes which a rule asks for are used by it.
func (j *judge) opens(when *cond) {
	if when != nil && when.promo {
		j.openCodes(when)
	}
}

func (j *judge) openCodes(when *cond) {
	for i := range when.checks {
		if c := &when.checks[i]; c.kind == factPromo {
			for _, e := range c.codes {
				for k := range j.codes {
					if int32(j.f.Promos[k].Entry) == e {
						j.codes[k].opened = true
					}
				}
			}
		}
	}
}

// promoCuts reports whether a usable code takes anything off.
func (j *judge) promoCuts() bool {
	for k := range j.codes {
		if j.codes[k].refused == PromoUsable && j.p.promos[j.f.Promos[k].Entry].cuts() {
			return true
		}
	}
	return false
}

// discountByCode lets the request's codes act, in its order, each on what the
// programme's own rules and the codes before it have left of each line, within
// the same `never` and ceilings.
func (j *judge) discountByCode() {
	for k := range j.codes {
		s := &j.codes[k]
		if s.refused != PromoUsable {
			continue
		}
		e := &j.p.promos[j.f.Promos[k].Entry]
		switch {
		case e.minus > 0:
			s.cut = j.minusWithin(e.minus, e.goods)
			spread(s.cut, j.weights, j.room, j.out, j.rests)
		case e.rate > 0:
			s.cut = j.percentByCode(e)
		}
		if s.cut > 0 {
			j.lower(s.cut)
			j.d.Rules = append(j.d.Rules, protocol.RuleResult{Rule: e.name, Discount: s.cut, Lines: j.perLine(false)})
		}
	}
}

// percentByCode is percent of each line of the goods, rounded down once and
// spread over them in out.
func (j *judge) percentByCode(e *promo) int64 {
	clear(j.weights)
	var sum int64
	for i := range j.on(e.goods).each {
		v := min(j.net[i]*int64(e.rate), j.room[i]*rateUnit)
		j.weights[i] = v
		sum += v
	}
	spread(sum/rateUnit, j.weights, nil, j.out, j.rests)
	return sum / rateUnit
}

// redeemCodes gives what the codes give beside discounts, and says what became
// of each: what it is used for is counted.
func (j *judge) redeemCodes() {
	for k := range j.codes {
		s, u := &j.codes[k], &j.f.Promos[k]
		out := protocol.PromoResult{Code: u.Code}
		if s.refused == PromoUsable {
			j.giveByCode(s, &j.p.promos[u.Entry])
		}
		if s.refused == PromoUsable && s.cut == 0 && s.points == 0 && s.tier == "" && !s.opened {
			s.refused = PromoNoEffect
		}
		if s.refused != PromoUsable {
			out.Refused = s.refused.String()
			j.d.Warnings = append(j.d.Warnings, promoWarnings[s.refused])
			j.skipCode(u, s.refused)
		} else {
			out.Points, out.Discount, out.Tier = s.points, s.cut, s.tier
			j.countUse(u, &j.p.promos[u.Entry])
		}
		j.d.Promo = append(j.d.Promo, out)
	}
}

func (j *judge) giveByCode(s *promoState, e *promo) {
	d := j.d
	if e.points > 0 {
		lot := EarnedLot{Points: e.points, Own: e.own}
		if e.own {
			lot.Active, lot.Expires = lotDates(e.lotAfter, e.lotLife, j.at, &j.days)
		} else {
			lot.Active, lot.Expires = lotDates(j.p.lots.ActiveAfter, j.p.lots.ExpiresAfter, j.at, &j.days)
		}
		s.points = e.points
		d.Gifts = append(d.Gifts, Gift{Rule: e.name, Lot: lot})
		d.Rules = append(d.Rules, protocol.RuleResult{Rule: e.name, Points: e.points})
	}
	if e.tier >= 0 {
		s.tier = j.p.tiers.levels[e.tier].name
		if j.registers {
			j.keepLower(j.granted(), j.tierOf(e))
		}
		given := j.p.Assign(Assigned{d.Grant, d.GrantUntil}, j.tierOf(e), j.now)
		d.Grant, d.GrantUntil = given.Tier, given.Until
	}
}

// keepLower keeps the lower of two tiers that are assigned beside each other. A
// purchase gives the higher alone: what a return would end is one tier.
func (j *judge) keepLower(a, b Assigned) {
	is := j.p.Assign(a, b, j.now)
	for _, other := range [2]Assigned{a, b} {
		if keep, ok := j.p.Replaced(other, is, j.kept, j.now); ok {
			j.d.Counts = append(j.d.Counts, keep)
		}
	}
}

// skipCode explains a code that is not used. An unknown one has no rule.
func (j *judge) skipCode(u *PromoUse, why PromoRefusal) {
	if why != PromoUnknown {
		j.skip(j.p.promos[u.Entry].name, promoWarnings[why][len("a promo code was not used: "):])
	}
}

// countUse counts a use: of the code for the member and, with a limit, for
// all; of a coupon once for all.
func (j *judge) countUse(u *PromoUse, e *promo) {
	merchant := j.r.Caller.Merchant
	if e.perMember > 0 || e.limit > 0 {
		j.d.Counts = append(j.d.Counts, CountChange{
			Count:  Count{Key: PromoKey(merchant, e.name, e.serial), Value: 1, At: j.at},
			Shared: e.limit > 0, Apart: e.perMember == 0,
		})
	}
	if u.Coupon > 0 {
		j.d.Counts = append(j.d.Counts, CountChange{
			Count:  Count{Key: CouponKey(merchant, e.name, u.Coupon), Value: 1, At: j.at},
			Shared: true, Apart: true,
		})
	}
}

package processor

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// Promo codes of a request. The programme judges them; here they are found, and
// a use of what is limited is taken in advance, so that of two tills with the
// last one only one has it (docs/promo.md).

// flagPromoExceeded is on a sale whose hold had expired: its code was used up
// meanwhile, and the sale is booked as it was printed.
const flagPromoExceeded = "promo_limit_exceeded"

// A coupon's code is sixteen letters: two that stand for its series, four that
// are its number, and ten of a keyed hash over both, which nobody can guess:
// one in 2⁵⁰.
const (
	couponTag    = 2
	couponNumber = 4
	couponHash   = 10
	couponSize   = couponTag + couponNumber + couponHash
	maxCoupons   = 1<<(5*couponNumber) - 1 // of a series
)

// seriesTag is what stands for a series in its coupons' codes: it makes the
// look-up quick and proves nothing.
func seriesTag(series string) uint64 {
	return program.CountKey("tag of a series", series) >> (64 - 5*couponTag)
}

// couponCode makes the code of a coupon. Nothing stores it.
func (s *Switch) couponCode(merchant, series string, number int64) string {
	key := s.ledger.Hash("coupon", merchant, series, strconv.FormatInt(number, 10))
	var code [couponSize]byte
	put := func(at, letters int, v uint64) {
		for i := letters - 1; i >= 0; i-- {
			code[at+i] = referralAlphabet[v&31]
			v >>= 5
		}
	}
	put(0, couponTag, seriesTag(series))
	put(couponTag, couponNumber, uint64(number))
	put(couponTag+couponNumber, couponHash, binary.BigEndian.Uint64(key[:]))
	return string(code[0:4]) + "-" + string(code[4:8]) + "-" + string(code[8:12]) + "-" + string(code[12:16])
}

// couponForm brings what people type into the form of a coupon's letters; ""
// if it can't be one.
func couponForm(typed string) string {
	var code [couponSize]byte
	n := 0
	for i := range len(typed) {
		c := typed[i]
		switch {
		case c == '-' || c == ' ':
			continue
		case c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		switch c {
		case 'O':
			c = '0'
		case 'I', 'L':
			c = '1'
		}
		if n == couponSize || strings.IndexByte(referralAlphabet, c) < 0 {
			return ""
		}
		code[n] = c
		n++
	}
	if n != couponSize {
		return ""
	}
	return string(code[:])
}

// findPromo looks a code up: one that everybody may use, else a coupon.
func (s *Switch) findPromo(p *program.Program, merchant, code string) program.PromoUse {
	u := program.PromoUse{Code: code}
	var ok bool
	if u.Entry, ok = p.Promo(code); ok {
		return u
	}
	if letters := couponForm(code); letters != "" && len(p.Series()) > 0 {
		var tag, number uint64
		for i := range couponTag + couponNumber {
			v := uint64(strings.IndexByte(referralAlphabet, letters[i]))
			if i < couponTag {
				tag = tag<<5 | v
			} else {
				number = number<<5 | v
			}
		}
		for _, at := range p.Series() {
			name := p.PromoEntry(at).Name
			if number > 0 && seriesTag(name) == tag && couponForm(s.couponCode(merchant, name, int64(number))) == letters {
				u.Entry, u.Coupon = at, int64(number)
				return u
			}
		}
	}
	u.Refused = program.PromoUnknown
	return u
}

// knowPromos finds the request's promo codes and takes a use of each that is
// limited. What the decision doesn't use after all is given back at the end of
// the task.
func (t *Task) knowPromos(tx *ledger.Tx, codes []string) error {
	f, p, merchant := &t.facts, t.version.Program, t.request().Caller.Merchant
	f.Promos = f.Promos[:0]
	for _, code := range codes {
		u := t.s.findPromo(p, merchant, code)
		for i := range f.Promos {
			if b := &f.Promos[i]; u.Refused == program.PromoUsable && b.Entry == u.Entry && b.Coupon == u.Coupon && b.Refused != program.PromoUnknown {
				u.Refused = program.PromoRepeated
			}
		}
		if u.Refused == program.PromoUsable {
			left, err := t.takePromo(tx, p.PromoEntry(u.Entry), u.Coupon)
			if err != nil {
				return err
			}
			if !left {
				u.Refused = program.PromoUsedUp
			}
		}
		f.Promos = append(f.Promos, u)
	}
	return nil
}

// takePromo takes a use of an entry and of its coupon, and reports whether
// there was one. A quote only looks.
func (t *Task) takePromo(tx *ledger.Tx, e program.Promo, coupon int64) (bool, error) {
	merchant := t.request().Caller.Merchant
	take := func(key uint64, limit int64) (bool, error) {
		if t.request().Call == protocol.CallQuote {
			total, err := tx.Shared(key, 0)
			return total < limit, err
		}
		_, ok, err := tx.Take(key, 0, 1, limit)
		return ok, err
	}
	if coupon > 0 {
		if ok, err := take(program.CouponKey(merchant, e.Name, coupon), 1); !ok || err != nil {
			return ok, err
		}
	}
	if e.Limit > 0 {
		return take(program.PromoKey(merchant, e.Name, e.Series), e.Limit)
	}
	return true, nil
}

// keepPromos takes over the codes of the hold that is amended: what it has used
// is reserved by it already, and needs no second use.
func (t *Task) keepPromos(tx *ledger.Tx, kept []promoRemark) error {
	f, p := &t.facts, t.version.Program
	f.Promos = f.Promos[:0]
	for i := range kept {
		k := &kept[i]
		entry, ok := p.PromoNamed(k.name, k.series)
		if !ok {
			continue // a code that nobody knows
		}
		u := program.PromoUse{Code: t.s.promoCode(t.request().Caller.Merchant, k), Entry: entry, Coupon: k.coupon}
		switch k.refused {
		case "":
		case program.PromoRepeated.String():
			u.Refused = program.PromoRepeated // it still stands twice
		default:
			left, err := t.takePromo(tx, p.PromoEntry(entry), k.coupon)
			if err != nil {
				return err
			}
			if !left {
				u.Refused = program.PromoUsedUp
			}
		}
		f.Promos = append(f.Promos, u)
	}
	return nil
}

// promoCode is a known code as answers show it.
func (s *Switch) promoCode(merchant string, p *promoRemark) string {
	if p.coupon > 0 {
		return s.couponCode(merchant, p.name, p.coupon)
	}
	return p.name
}

// tellPromos puts what became of the promo codes into a rendered answer. The
// codes are those of the request, which a repeat carries too; an answer that
// tells of an earlier request's makes them again.
func (t *Task) tellPromos() {
	op, r := &t.op, t.response()
	if op.Kind == ledger.KindPark || len(op.Data) == 0 {
		return
	}
	var h holdData
	if decodeHoldData(op.Data, &h) != nil {
		return // render has had it too, and says what it can
	}
	sent := t.request().PromoCodes
	if p := t.request().Profile; p != nil && p.PromoCode != "" {
		sent = []string{p.PromoCode}
	}
	for i := range h.said.promos {
		p := &h.said.promos[i]
		one := protocol.PromoResult{Points: p.points, Discount: p.discount, Tier: p.tier, Refused: p.refused}
		switch {
		case len(sent) == len(h.said.promos):
			one.Code = sent[i]
		case p.name != "":
			one.Code = t.s.promoCode(op.Merchant, p)
		default:
			continue
		}
		r.Promo = append(r.Promo, one)
	}
}

// latePromos flags a sale that comes after its hold has expired, where the uses
// that the hold had given back have gone to others meanwhile. It is booked all
// the same, because the receipt is printed, but for the points and the tier of
// such a code.
func (t *Task) latePromos(tx *ledger.Tx, op *ledger.Operation, a *ledger.Account) error {
	for i := range t.said.promos {
		k := &t.said.promos[i]
		entry, ok := t.version.Program.PromoNamed(k.name, k.series)
		if !ok || k.refused != "" {
			continue
		}
		e := t.version.Program.PromoEntry(entry)
		over, err := t.usedUp(tx, op, a, e, k.coupon)
		if err != nil {
			return err
		}
		if over {
			op.Flags = append(op.Flags, flagPromoExceeded)
			if k.tier != "" {
				k.tier = ""
				op.Grant, op.GrantUntil = t.promised(t.other.At)
			}
			forgo(op, k, program.PromoKey(op.Merchant, e.Name, e.Series), program.CouponKey(op.Merchant, e.Name, k.coupon))
		}
	}
	return nil
}

// promised is the tier that the codes of a hold give together; at is the hold's
// moment.
func (t *Task) promised(at int64) (tier string, until int64) {
	var given program.Assigned
	for i := range t.said.promos {
		if one, ok := t.gaveTier(&t.said.promos[i], at); ok {
			given = t.version.Program.Assign(given, one, t.when.now)
		}
	}
	return given.Tier, given.Until
}

// forgo takes out of a late sale the points that a code would give that others
// have used up meanwhile. A discount is printed and stands, and so does
// its count.
func forgo(op *ledger.Operation, k *promoRemark, keys ...uint64) {
	op.Gifts = slices.DeleteFunc(op.Gifts, func(g ledger.Gift) bool { return g.Rule == k.name })
	op.Rules = slices.DeleteFunc(op.Rules, func(r ledger.Rule) bool { return r.Name == k.name && r.Discount == 0 })
	k.points = 0
	if k.discount > 0 {
		return
	}
	k.refused = program.PromoUsedUp.String()
	op.Counts = slices.DeleteFunc(op.Counts, func(c ledger.CountChange) bool { return slices.Contains(keys, c.Key) })
}

// endGranted ends the tiers that promo codes gave with a sale of which nothing is
// left, if the member has them still as they were given: the codes can be used
// again.
func (t *Task) endGranted(tx *ledger.Tx, s *ledger.Sale, op *ledger.Operation, a *ledger.Account) error {
	sold := &t.side
	if err := read(tx, s.Record, sold); err != nil {
		return err
	}
	if len(sold.Data) == 0 {
		return nil
	}
	var h holdData
	if err := decodeHoldData(sold.Data, &h); err != nil {
		return err
	}
	was := program.Assigned{Tier: a.Tier, Until: a.TierUntil}
	if op.Grant != "" {
		was = program.Assigned{Tier: op.Grant, Until: op.GrantUntil}
	}
	now := was
	for i := range h.said.promos {
		given, ok := t.gaveTier(&h.said.promos[i], s.At)
		if !ok {
			continue
		}
		is, below, changed := t.version.Program.Ends(now, given, keptBy(op, a.Counts), t.when.now)
		if changed {
			op.Counts = append(op.Counts, countOf(below))
		}
		now = is
	}
	if now != was {
		op.Grant, op.GrantUntil = now.Tier, now.Until
	}
	return nil
}

// gaveTier is the tier that a promo code has given with a sale of a moment; false
// for none.
func (t *Task) gaveTier(k *promoRemark, at int64) (program.Assigned, bool) {
	if k.refused != "" || k.tier == "" {
		return program.Assigned{}, false
	}
	entry, ok := t.version.Program.PromoNamed(k.name, k.series)
	if !ok {
		return program.Assigned{}, false
	}
	given := t.version.Program.PromoGives(entry, at)
	return given, given.Tier == k.tier
}

// countIn is what an account's counter without buckets stands at.
func countIn(counts []ledger.Count, key uint64) int64 {
	for i := range counts {
		if counts[i].Key == key && counts[i].Bucket == 0 {
			return counts[i].Value
		}
	}
	return 0
}

// parkedPromos are the codes of a message that waits for the office, as far as
// the programme of its day knows them.
func (t *Task) parkedPromos() (list []parkedPromo) {
	r := t.request()
	v, ok := t.s.programs.at(r.Caller.Merchant, t.when.at)
	if !ok {
		return nil
	}
	for _, code := range r.PromoCodes {
		if u := t.s.findPromo(v.Program, r.Caller.Merchant, code); u.Refused == program.PromoUsable {
			e := v.Program.PromoEntry(u.Entry)
			list = append(list, parkedPromo{Name: e.Name, Series: e.Series, Coupon: u.Coupon})
		}
	}
	return list
}

// parkedCodes are they as a request carries them.
func (t *Task) parkedCodes(d *parkedData) (list []string) {
	for _, p := range d.Promos {
		list = append(list, t.s.promoCode(t.request().Caller.Merchant, &promoRemark{name: p.Name, coupon: p.Coupon}))
	}
	return list
}

// sourceOf finds the promo code of a registration, and notes in the profile
// where it was published.
func (t *Task) sourceOf(tx *ledger.Tx, p *profile) error {
	code := t.request().Profile.PromoCode
	if code == "" {
		return nil
	}
	if err := t.knowPromos(tx, []string{code}); err != nil {
		return err
	}
	if u := &t.facts.Promos[0]; u.Refused != program.PromoUnknown {
		p.Source = t.version.Program.PromoEntry(u.Entry).Source
	}
	return nil
}

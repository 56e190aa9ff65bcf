package program

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tillgate/protocol"
)

// code reads a promo code that a receipt carries: "code SUMMER", "code SUMMER
// used up", "coupon march 7", "code NONE" that nobody knows.
func (t *teller) code(word, rest string) PromoUse {
	name, usedUp := strings.CutSuffix(rest, " used up")
	u := PromoUse{Code: name}
	ok := false
	if word == "coupon" {
		series, number, _ := strings.Cut(name, " ")
		n, err := strconv.ParseInt(number, 10, 64)
		must(err)
		u.Coupon = n
		u.Entry, ok = t.p.PromoNamed(series, true)
	} else {
		u.Entry, ok = t.p.Promo(name)
	}
	switch {
	case !ok:
		u.Refused = PromoUnknown
	case usedUp:
		u.Refused = PromoUsedUp
	}
	return u
}

// shares tells a rule's figure line by line, where it falls on several.
func shares(lines []protocol.RuleLine) string {
	var out []string
	for _, l := range lines {
		out = append(out, l.ID+": "+money(l.Points+l.Discount))
	}
	if len(out) < 2 {
		return ""
	}
	return " (" + strings.Join(out, ", ") + ")"
}

// tellCodes says what became of the promo codes.
func (t *teller) tellCodes() []string {
	var out []string
	for _, p := range t.d.Promo {
		if p.Refused != "" {
			out = append(out, "code "+p.Code+" refused: "+p.Refused)
			continue
		}
		out = append(out, list("code "+p.Code, "gives points", p.Points, "off", p.Discount))
	}
	for _, g := range t.d.Gifts {
		out = append(out, fmt.Sprintf("gift %s %s %s", g.Rule, money(g.Lot.Points), t.span(g.Lot.Active, g.Lot.Expires)))
	}
	if t.d.Grant != "" {
		out = append(out, "tier "+t.d.Grant+" until "+t.clock(t.d.GrantUntil))
	}
	return out
}

// books books the last sale: sums, dates and counters are what the next one
// finds. It says what the counters stand at.
func (t *teller) books() []string {
	f, d := &t.facts, &t.d
	before, now := f.Lifetime, f.Now
	if now == 0 {
		now = t.at
	}
	changes := t.p.Month(f, now, nil)
	changes = t.p.Book(Sale{Paid: d.Payable, Day: LocalDay(t.at, t.p.inZone(f.Zone)), Group: f.StoreGroup, Partner: f.Partner}, changes)
	changes = append(changes, d.Counts...)
	f.Lifetime += d.Payable
	f.FirstPurchase = false
	f.LastPurchase = max(f.LastPurchase, t.at)
	day := LocalDay(t.at, t.p.inZone(f.Zone))
	f.Days = spentOn(f.Days, DaySum{day, d.Payable})
	if d.Grant != "" {
		f.AssignedTier, f.AssignedUntil = d.Grant, d.GrantUntil
	}
	for _, ch := range t.p.Reached(changes, before, f.Lifetime, t.at) {
		f.Counts = booked(f.Counts, ch)
	}
	return nil
}

// booked changes a counter as the ledger does.
func booked(counts []Count, ch CountChange) []Count {
	if ch.Apart {
		return counts
	}
	counts = slices.Clone(counts)
	i, found := slices.BinarySearchFunc(counts, ch.Count, func(a, b Count) int {
		if a.Key != b.Key {
			return map[bool]int{true: -1, false: 1}[a.Key < b.Key]
		}
		return int(a.Bucket - b.Bucket)
	})
	switch {
	case !found && ch.Value <= 0:
		return counts
	case !found:
		return slices.Insert(counts, i, ch.Count)
	case ch.Set:
		counts[i] = ch.Count
	default:
		if counts[i].Value += ch.Value; counts[i].Value <= 0 {
			return slices.Delete(counts, i, i+1)
		}
	}
	return counts
}

// registers is a registration with a promo code: "registers, code SUMMER".
func (t *teller) registers(said string) []string {
	f := t.facts
	for _, s := range strings.Split(said, ",") {
		word, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
		if word != "" {
			f.Promos = append(f.Promos, t.code(word, rest))
		}
	}
	Happen(t.p, "registered", &f, &protocol.Request{}, t.at, &t.d)
	out := t.tellCodes()
	for _, w := range t.d.Warnings {
		out = append(out, "warning: "+w)
	}
	return out
}

// spentOn notes a sum, in the order that Facts asks for.
func spentOn(days []DaySum, d DaySum) []DaySum {
	i, _ := slices.BinarySearchFunc(days, d.Day, func(d DaySum, day int32) int { return int(d.Day - day) })
	return slices.Insert(days, i, d)
}

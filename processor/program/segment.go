package program

import (
	"slices"

	"tillgate/protocol"
)

// Segment is an entry of `segments`: the members for whom its conditions hold.
// They mean what they mean in a rule, seen at a moment at which the member buys
// nothing. What an account doesn't keep (goods bought, sums at some stores, when
// a rule first applied) PostgreSQL knows, from the first day on.
type Segment struct {
	name, color string
	when        *cond
	looks       []look
	profile     bool // it asks for birthday, tags, cards or the code of the registration
}

// look is a figure of PostgreSQL that a condition asks for.
type look struct {
	kind   protocol.LookKind
	within Term
	goods  selector
	place  string
	names  []string
	rule   string
	sum    int64
}

// Name is the segment's name.
func (s *Segment) Name() string { return s.name }

// Colour is how reports colour it, "" for none.
func (s *Segment) Colour() string { return s.color }

// NeedsProfile reports whether conditions ask for what is personal.
func (s *Segment) NeedsProfile() bool { return s.profile }

// Segments are the programme's segments, in the order of the document.
func (p *Program) Segments() []Segment { return p.segments }

// Segment finds a segment by its name; nil if there is none.
func (p *Program) Segment(name string) *Segment { return p.segment(name) }

func (p *Program) segment(name string) *Segment {
	for i := range p.segments {
		if p.segments[i].name == name {
			return &p.segments[i]
		}
	}
	return nil
}

// margin is by how much the query about purchases is wider than the condition:
// an account that a purchase was brought back to knows of the one before it
// only the day.
const margin = 2 * daySeconds * second

// Query is what PostgreSQL is to be asked about a segment at a moment, unix ns.
func (p *Program) Query(s *Segment, at int64) (q protocol.SegmentQuery) {
	days := Almanac{zone: p.zone}
	at = clampMoment(at)
	for i := range s.when.checks {
		switch c := &s.when.checks[i]; c.kind {
		case factLastWithin:
			q.Bought, q.BoughtSince = true, max(q.BoughtSince, c.within.since(at, &days)-margin)
		case factLastBefore:
			q.Bought = true
			if to := c.within.since(at, &days) + margin; q.BoughtBefore == 0 || to < q.BoughtBefore {
				q.BoughtBefore = to
			}
		case factFirst:
			q.Never, q.Bought = q.Never || c.want, q.Bought || !c.want
		}
	}
	for i := range s.looks {
		l := &s.looks[i]
		one := protocol.Look{Kind: l.kind, Place: l.place, Names: l.names, Rule: l.rule, Sum: l.sum}
		switch l.kind {
		case protocol.LookSpent, protocol.LookBought:
			one.From = l.within.addTo(days.dayOf(at), -1)
		}
		if g := &l.goods; l.kind == protocol.LookBought {
			one.Goods = protocol.Goods{
				SKU: g.sku.list, Category: g.category.list, Brand: g.brand.list, Supplier: g.supplier.list, Tag: g.tag.list,
				PriceFrom: g.priceFrom, PriceBelow: g.priceBelow, Priced: g.priced,
			}
		}
		q.Looks = append(q.Looks, one)
	}
	return q
}

// Facts of a segment beside [Facts]: what the profile says.
type Beside struct {
	CardTypes []string // of the member's cards
	PromoCode string   // of the registration
}

// Belongs reports whether a member belongs to a segment at a moment, unix ns.
// f is what the account says; looked are the figures that [Program.Query] asks
// for, in its order. d is scratch.
func Belongs(p *Program, s *Segment, f *Facts, beside Beside, looked []int64, at int64, d *Decision) bool {
	f.Present, f.Now = true, at
	j := d.outside(p, f, &protocol.Request{}, at)
	defer j.end()
	for i := range s.when.checks {
		if !j.belongs(&s.when.checks[i], beside, looked) {
			return false
		}
	}
	return true
}

func (j *judge) belongs(c *check, beside Beside, looked []int64) bool {
	figure := int64(0)
	if c.look > 0 && c.look <= len(looked) {
		figure = looked[c.look-1]
	}
	switch {
	case c.kind == factCardType:
		return c.names.hasAny(beside.CardTypes)
	case c.kind == factPromo:
		return beside.PromoCode != "" && c.names.has(foldCode(beside.PromoCode))
	case c.look == 0:
		return j.check(c)
	case c.kind == factSpent:
		return figure > c.from || figure == c.from && !c.above
	case c.kind == factBought:
		return figure > 0 && figure >= c.quantity
	case c.kind == factSinceReached:
		return figure != 0 && j.f.Lifetime >= c.from && j.at < c.within.until(figure, &j.days)
	}
	return figure != 0 && j.at < c.within.until(figure, &j.days) // since_first
}

// folded are promo codes as they are compared.
func (c *compiler) folded(names set) set {
	list := slices.Clone(names.list)
	for i := range list {
		list[i] = foldCode(list[i])
	}
	return newSet(list)
}

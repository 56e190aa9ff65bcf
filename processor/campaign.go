package processor

import (
	"fmt"
	"slices"
	"time"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// What the programmes ask of the reconciler: segments, grants to them and
// reminders. The reconciler knows PostgreSQL and when to ask; what a segment's
// conditions mean, and which moments a grant has, is answered here, by the code
// that judges receipts. All of it may be called from any goroutine.

// CampaignMerchants are the merchants that have a programme.
func (s *Switch) CampaignMerchants() []string {
	list := s.programs.merchants()
	return slices.DeleteFunc(list, func(m string) bool { return s.programs.of(m).Len() == 0 })
}

// Terms are the zone in which a merchant's days and months are told and the
// value of a point, money units × 10,000: those of the programme in force at a
// moment, unix ns. Without one it is UTC, and a point is worth one unit.
func (s *Switch) Terms(merchant string, now int64) (zone *time.Location, value int64) {
	if v, ok := s.programs.at(merchant, now); ok {
		return v.Program.Zone(), v.Program.Value()
	}
	return time.UTC, 10_000
}

// Campaign is what a merchant's programme in force at a moment, unix ns, asks
// for; nil without a programme.
func (s *Switch) Campaign(merchant string, now int64) (*protocol.Campaign, error) {
	v, ok := s.programs.at(merchant, now)
	if !ok {
		return nil, nil
	}
	c := &protocol.Campaign{Version: v.Number, Offset: offsetAt(now, v.Program.Zone())}
	row, err := s.row(merchant, v.Number)
	if err != nil {
		return nil, err
	}
	if row != nil {
		c.Publisher = row.Actor
	}
	for i := range v.Program.Segments() {
		one := &v.Program.Segments()[i]
		c.Segments = append(c.Segments, protocol.SegmentView{Name: one.Name(), Color: one.Colour()})
	}
	for i := range v.Program.Grants() {
		g := &v.Program.Grants()[i]
		view := protocol.GrantView{
			Name: g.Name(), Segment: g.Segment(), Reason: g.Reason(), Every: g.Every(),
			Points: g.Points(), At: g.At(), Next: g.Next(now), Until: g.Until(),
		}
		if limit := s.o.AdjustLimit; limit > 0 && g.Points() > limit {
			view.Why = "it gives each member more than one person may grant alone"
		}
		c.Grants = append(c.Grants, view)
	}
	for k := range v.Program.Reminders() {
		before, until := v.Program.Reminder(k, now)
		c.Remind = append(c.Remind, protocol.Remind{Before: before, Until: until})
	}
	return c, nil
}

// pastGrants warns of grants of a new version that have no moment to come.
func pastGrants(p *program.Program, now int64) (warnings []string) {
	for i := range p.Grants() {
		if g := &p.Grants()[i]; g.Next(now) == 0 {
			warnings = append(warnings, fmt.Sprintf("the grant %q has no moment to come; one that is past gives nothing", g.Name()))
		}
	}
	return warnings
}

// GrantMoments are the moments of a grant in (after, now], unix ns, the newest
// first and at most so many: those at which the grant stood in a programme that
// had been published and was in force by then, and stands in the one of now. A
// moment that a publication names when it is past has never been.
func (s *Switch) GrantMoments(merchant, name string, after, now int64, most int) (moments []int64) {
	all := s.programs.of(merchant)
	v, ok := all.At(now)
	if !ok {
		return nil
	}
	after = max(after, all.All()[0].Published-1) // nothing was in force before the first was published
	g := v.Program.Grant(name)
	for to := now; g != nil && len(moments) < most; {
		at := g.Newest(after, to)
		if at == 0 {
			break
		}
		if was := inForceAt(all, at); was != nil && was.Grant(name) != nil && was.Grant(name).Has(at) {
			moments = append(moments, at)
		}
		to = at - 1
	}
	return moments
}

// inForceAt is the programme that decided at a moment: what was published later
// did not, whatever date it gives itself. Nil if there was none.
func inForceAt(all program.Versions, at int64) *program.Program {
	list := all.All()
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].From() <= at && list[i].Published <= at {
			return list[i].Program
		}
	}
	return nil
}

// Segment is what PostgreSQL is to be asked about a segment of the programme in
// force at a moment, unix ns, and the judgement of a member by the account and
// by what was found; ok is false if there is no such segment. An account that
// is gone, merged into another or another merchant's belongs to none.
func (s *Switch) Segment(merchant, name string, now int64) (
	q protocol.SegmentQuery, belongs func(id ledger.AccountID, looked []int64) (bool, error), ok bool,
) {
	v, found := s.programs.at(merchant, now)
	if !found {
		return q, nil, false
	}
	segment := v.Program.Segment(name)
	if segment == nil {
		return q, nil, false
	}
	q = v.Program.Query(segment, now)
	for i := range q.Looks {
		s.place(merchant, &q.Looks[i])
	}
	var f program.Facts
	var d program.Decision
	return q, func(id ledger.AccountID, looked []int64) (bool, error) {
		a, err := s.ledger.Account(id)
		if err != nil || a == nil || a.Erased || a.Into != 0 || a.Merchant != merchant {
			return false, err
		}
		f = program.Facts{Days: f.Days[:0], Counts: f.Counts[:0]}
		tellSums(&f, a)
		var beside program.Beside
		if segment.NeedsProfile() {
			if beside, err = s.tellProfile(id, &f); err != nil {
				return false, err
			}
		}
		return program.Belongs(v.Program, segment, &f, beside, looked, now, &d), nil
	}, true
}

// tellProfile fills what a segment asks of a member's profile.
func (s *Switch) tellProfile(id ledger.AccountID, f *program.Facts) (program.Beside, error) {
	plain, err := s.ledger.Profile(id)
	if err != nil {
		return program.Beside{}, err
	}
	p, err := decodeProfile(plain)
	if err != nil {
		return program.Beside{}, err
	}
	p.person().tell(f)
	beside := program.Beside{PromoCode: p.PromoCode}
	for _, c := range p.Cards {
		beside.CardTypes = append(beside.CardTypes, c.Type)
	}
	return beside, nil
}

// place fills what a look asks of the merchant's directories: the stores of a
// group or a partner, the articles of a brand, a supplier, a tag.
func (s *Switch) place(merchant string, l *protocol.Look) {
	dir := s.directories.of(merchant)
	switch l.Place {
	case "store":
		l.Stores = l.Names
	case "store_group", "partner":
		for id, row := range dir.stores {
			of := row.Group
			if l.Place == "partner" {
				of = row.Partner
			}
			if slices.Contains(l.Names, of) {
				l.Stores = append(l.Stores, id)
			}
		}
		slices.Sort(l.Stores)
	}
	g := &l.Goods
	for _, want := range []struct {
		names []string
		has   func(*productRow) bool
	}{
		{g.Brand, func(p *productRow) bool { return slices.Contains(g.Brand, p.Brand) }},
		{g.Supplier, func(p *productRow) bool { return slices.Contains(g.Supplier, p.Supplier) }},
		{g.Tag, func(p *productRow) bool {
			return slices.ContainsFunc(p.Tags, func(t string) bool { return slices.Contains(g.Tag, t) })
		}},
	} {
		if len(want.names) == 0 {
			continue
		}
		among := []string{}
		for sku, p := range dir.products {
			if want.has(p) {
				among = append(among, sku)
			}
		}
		slices.Sort(among)
		g.Among = append(g.Among, among)
	}
}

package whatif

import (
	"slices"
	"strings"

	"tillgate/ledger"
	"tillgate/protocol"
)

// tally adds up both sides.
type tally struct {
	real, draft protocol.WhatIfFigures
	receipts    protocol.WhatIfShares
	members     protocol.WhatIfShares
	guessed     protocol.WhatIfGuessed
	rules       map[string]*protocol.WhatIfRule
}

func newTally() tally {
	return tally{rules: map[string]*protocol.WhatIfRule{}}
}

// rule is the sums of a rule; the name is copied, it may lie in a record.
func (t *tally) rule(name string) *protocol.WhatIfRule {
	if r := t.rules[name]; r != nil {
		return r
	}
	r := &protocol.WhatIfRule{Rule: strings.Clone(name)}
	t.rules[r.Rule] = r
	return r
}

// apply adds the figures of some rules.
func apply(f *protocol.WhatIfRuleFigures, rule ledger.Rule) {
	f.Receipts++
	f.Points += rule.Points
	f.Discount += rule.Discount
}

// booked adds a sale, or with sign −1 takes away what has come back of one.
func booked(to *protocol.WhatIfFigures, f figures, sign int64) {
	to.Payable += sign * f.payable
	to.Discount += sign * f.discount
	to.Earned += sign * f.earned
	to.Redeemed += sign * f.points
	to.RedeemedMoney += sign * f.redeemed
}

// sides counts one receipt or member as better, worse or the same.
func sides(s *protocol.WhatIfShares, gain int64) {
	s.Total++
	switch {
	case gain > 0:
		s.Better++
	case gain < 0:
		s.Worse++
	}
}

// member adds what a member owns at the end, and whether the draft would have
// been better for them.
func (t *tally) member(m *member, draft *ledger.Account, worth func(real, draft int64) (int64, int64)) {
	has, owes := owned(&m.real)
	t.real.Liability += has
	t.real.Owed += owes
	would, owing := owned(draft)
	t.draft.Liability += would
	t.draft.Owed += owing
	if m.count == 0 {
		return
	}
	is, be := worth(has-owes, would-owing)
	sides(&t.members, m.gain+be-is)
}

// report is the sums as they are told; rules in alphabetical order.
func (t *tally) report() *protocol.WhatIf {
	w := &protocol.WhatIf{
		Receipts: t.receipts, Members: t.members, Real: t.real, Draft: t.draft, Guessed: t.guessed,
	}
	for _, r := range t.rules {
		w.Rules = append(w.Rules, *r)
	}
	slices.SortFunc(w.Rules, func(a, b protocol.WhatIfRule) int { return strings.Compare(a.Rule, b.Rule) })
	return w
}

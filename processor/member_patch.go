package processor

import (
	"slices"

	"tillgate/ledger"
	"tillgate/protocol"
)

// The change of a profile.
//
// A member may take over a phone number that a provisional member has earned
// under: who registered by e-mail may have bought by phone before. The
// provisional one is merged into the member, in its own partition and first;
// then the request goes on to the member's. After a crash in between the number
// leads to the member already, and a repeat of the request makes it its own.

var _ = serve(protocol.CallPatchMember, plan{
	kind: ledger.KindProfile, claim: claimPatch, route: routePatch, decide: decidePatch,
})

// claimPatch owns the profile and what will lead to it, and what a merge owns
// where a provisional member is taken over.
func claimPatch(t *Task) {
	claimTarget(t)
	claimProfile(t)
	if from, _, err := t.provisional(); err == nil && from != 0 {
		claimMerge(t)
	}
}

// routePatch finds the member; where a provisional one is taken over, that one
// first.
func routePatch(t *Task) {
	routeTarget(t)
	if t.refused() || t.unborn() {
		return
	}
	from, into, err := t.provisional()
	switch {
	case err != nil:
		t.internal("who has an identifier can't be read", err)
	case from == 0:
	case !t.claim.has(t.s.mergeKey(t.request().Caller.Merchant)):
		t.refuse(protocol.Unavailable, "phone", "the first purchase under this number is being made at this moment; try again")
	default:
		t.who.second = into
		t.settle(from)
		t.refuseRing(into, "phone")
	}
}

// provisional finds whom the change takes over, and the member who does; none
// if the number is nobody's or the member's own, or if the change is going to be
// declined: then nothing is merged.
func (t *Task) provisional() (from, into ledger.AccountID, err error) {
	list, n := t.profileLinks()
	id, err := ledger.ParseAccountID(t.request().Target)
	if n == 0 || err != nil {
		return 0, 0, nil //nolint:nilerr // what is no id is nobody's
	}
	into, registered, err := t.s.registered(t.request().Caller.Merchant, id)
	if err != nil || !registered {
		return 0, 0, err
	}
	for _, id := range list[:n] {
		link, found, err := t.s.link(id.key)
		if err != nil {
			return 0, 0, err
		}
		if !found {
			continue
		}
		lives, registered, err := t.s.registered(t.request().Caller.Merchant, link.Account)
		switch {
		case err != nil:
			return 0, 0, err
		case lives == into:
		case lives == 0, registered:
			return 0, 0, nil
		default:
			from = lives
		}
	}
	return from, into, nil
}

// registered follows merges from an account to where it lives now, and tells
// whether a registered member lives there; zero if nobody does.
func (s *Switch) registered(merchant string, id ledger.AccountID) (lives ledger.AccountID, yes bool, err error) {
	lives, found, err := s.living(merchant, id)
	if err != nil || !found {
		return 0, false, err
	}
	a, err := s.ledger.Account(lives)
	return lives, err == nil && a != nil && a.Registered, err
}

// decidePatch changes a member's profile.
func decidePatch(t *Task, tx *ledger.Tx) error {
	if t.who.second != 0 {
		return t.takeOver(tx)
	}
	a, err := t.member(tx)
	if err != nil || t.redirect != 0 || t.refused() {
		return err
	}
	if !a.Registered {
		return t.decline(tx, protocol.MemberNotFound, "", "the member has not registered yet")
	}
	// The e-mail address first: where it is taken, nothing was done about a
	// provisional member's number, which would not stand in the way.
	list, n := t.profileLinks()
	for _, id := range slices.Backward(list[:n]) {
		link, err := tx.Link(id.key)
		if err != nil {
			return err
		}
		if link == nil {
			continue
		}
		own, err := t.s.leadsTo(link, a)
		if err != nil {
			return err
		}
		if !own {
			return t.decline(tx, protocol.AlreadyExists, identifierField(id.kind), "another member has it already")
		}
	}
	p, err := txProfile(tx, a.ID)
	if err != nil {
		return err
	}
	left := *p
	left.take(t.request().Profile)
	if left.Phone == "" && left.Email == "" {
		return t.decline(tx, protocol.InvalidRequest, "phone", "a member keeps a phone number or an e-mail address")
	}
	t.when = t.moment(tx.Now())
	t.stamp(&t.op, ledger.KindProfile)
	t.op.Status = "changed"
	t.reschedule(&t.op, a, &left)
	t.remember(&t.op)
	if _, err := tx.Append(&t.op); err != nil {
		return err
	}
	if err := t.putProfile(tx, func(p *profile) { *p = left }); err != nil {
		return err
	}
	return t.show(tx, a)
}

// takeOver merges the provisional member into the one that takes its number,
// and goes on there.
func (t *Task) takeOver(tx *ledger.Tx) error {
	into := t.who.second
	a, err := tx.Account(t.who.account)
	if err != nil {
		return err
	}
	if a != nil && len(a.Holds) > 0 {
		t.refuse(protocol.Unavailable, "phone", "a purchase under this number is pending; confirm or void it, or wait until it ends")
		return nil
	}
	t.who.second, t.redirect = 0, into
	if a == nil || a.Erased || a.Registered || a.Into != 0 {
		return nil // there is nobody to take over any more
	}
	t.handOver(tx, a, into)
	t.op.Detail = "its phone number was taken over"
	if _, err := tx.Append(&t.op); err != nil {
		return err
	}
	return t.alias(tx, t.op.Account, into)
}

package processor

import (
	"slices"

	"tillgate/ledger"
	"tillgate/protocol"
)

// The merge of two members.

var _ = serve(protocol.CallMerge, plan{
	kind: ledger.KindMerge, keyed: true, claim: claimMerge, route: routeMerge, decide: decideMerge,
})

// claimMerge lets one merge of a merchant's members be decided at a time: two
// into each other, or three in a ring, would send points round for ever. They
// are an office's, and rare. No member with friends is put below another
// meanwhile: with a merge, that could close a circle that neither sees.
func claimMerge(t *Task) {
	merchant := t.request().Caller.Merchant
	t.claim.add(t.s.mergeKey(merchant))
	t.claim.add(t.s.uplineKey(merchant))
}

// mergeKey is owned while a merge of a merchant's members is decided.
func (s *Switch) mergeKey(merchant string) ledger.Key { return s.ledger.Hash("merge", merchant) }

// routeMerge finds the account that is given up and the one that takes over.
func routeMerge(t *Task) {
	r := t.request()
	id, err := ledger.ParseAccountID(r.Into)
	if err != nil {
		t.refuse(protocol.MemberNotFound, "into", "no member has this id")
		return
	}
	into, found, err := t.s.living(r.Caller.Merchant, id)
	switch {
	case err != nil:
		t.internal("an account can't be read", err)
		return
	case !found:
		t.refuse(protocol.MemberNotFound, "into", "no member has this id")
		return
	}
	t.who.second = into
	routeTarget(t)
	if !t.refused() && into != t.who.account {
		t.refuseRing(into, "into")
	}
}

// refuseRing refuses a merge that would put a member above itself: who takes
// over has been invited below the other, in a way that its account doesn't
// name (another merge is between them), so that nobody can be left out of what
// it rewards. The other way round there is none.
func (t *Task) refuseRing(into ledger.AccountID, field string) {
	merchant := t.request().Caller.Merchant
	a, err := t.s.ledger.Account(into)
	if a != nil {
		for _, id := range a.Upline {
			if lives, _, bad := t.s.living(merchant, id); bad != nil {
				err = bad
			} else if lives == t.who.account {
				return // the merge itself leaves it out
			}
		}
	}
	var ring bool
	if err == nil {
		ring, err = t.s.standsBelow(merchant, into, t.who.account)
	}
	switch {
	case err != nil:
		t.internal("who is above a member can't be read", err)
	case ring:
		t.refuse(protocol.ReferrerNotAllowed, field, "was invited below the member, by way of another merge; merge the other way round")
	}
}

// decideMerge posts everything the member has to the other and leaves an
// alias for ever: what leads to this member goes on to the other. Pending
// holds must end first: they name this account.
func decideMerge(t *Task, tx *ledger.Tx) error {
	into := t.who.second
	a, err := t.member(tx)
	if err != nil {
		return err
	}
	switch {
	case t.refused():
		return t.declineRefused(tx)
	case t.redirect != 0:
		t.redirect = 0
		return t.decline(tx, protocol.AlreadyExists, "", "the member has been merged already")
	case into == a.ID:
		return t.decline(tx, protocol.InvalidRequest, "into", "is the member itself")
	case len(a.Holds) > 0:
		t.refuse(protocol.Unavailable, "", "the member has a pending authorization; confirm or void it, or wait until it ends")
		return nil
	}
	t.handOver(tx, a, into)
	t.op.Detail = t.request().Reason
	if err := t.record(tx); err != nil {
		return err
	}
	return t.alias(tx, t.op.Account, into)
}

// handOver begins the record that posts everything a has to another member.
func (t *Task) handOver(tx *ledger.Tx, a *ledger.Account, into ledger.AccountID) {
	t.when = t.moment(tx.Now())
	t.stamp(&t.op, ledger.KindMerge)
	t.op.Status, t.op.Into = "merged", into
	out := ledger.Transfer{
		To: into, Spent: spentOf(a), Counts: t.s.countsOf(a),
		Bought:   ledger.Bought{Purchases: a.Purchases, First: a.FirstPurchase, Last: a.LastPurchase},
		Standing: ledger.Standing{Tier: a.Tier, Until: a.TierUntil},
	}
	for _, l := range a.Lots {
		out.Parts = append(out.Parts, l)
		t.op.Legs[ledger.LegTransit] += l.Points
		l.Points = -l.Points
		t.op.Lots = append(t.op.Lots, l)
	}
	if a.Deficit < 0 {
		out.Parts = append(out.Parts, ledger.LotPart{Points: a.Deficit})
		t.op.Legs[ledger.LegTransit] += a.Deficit
		t.op.Owed = -a.Deficit
	}
	t.op.Transfers = append(t.op.Transfers, out)
}

// alias notes that what leads to a member goes on to the other, in the batch
// of the record before it.
func (t *Task) alias(tx *ledger.Tx, from, into ledger.AccountID) error {
	if err := t.s.noteMerged(tx, t.request().Caller.Merchant, from, into); err != nil {
		return err
	}
	return tx.EndCode(from) // it would be used up where the other lives
}

// spentOf are an account's sums by day. What is older than the days that are
// kept goes along under the first day there is, for the lifetime sum.
func spentOf(a *ledger.Account) []ledger.DaySum {
	rest := a.Lifetime
	for _, d := range a.Days {
		rest -= d.Spent
	}
	var list []ledger.DaySum
	if rest != 0 {
		list = append(list, ledger.DaySum{Spent: rest})
	}
	return append(list, a.Days...)
}

// countsOf are an account's counters as they go along in a merge: what rules
// have counted adds up, and of marks the later one counts, whichever version
// of the programme has set them.
func (s *Switch) countsOf(a *ledger.Account) []ledger.CountChange {
	versions := s.programs.published(a.Merchant).All()
	list := make([]ledger.CountChange, 0, len(a.Counts))
	for _, c := range a.Counts {
		ch, stays := ledger.CountChange{Count: c}, false
		for i := range versions {
			ch.Raise = ch.Raise || versions[i].Program.IsMark(c.Key)
			stays = stays || versions[i].Program.StaysBehind(c.Key)
		}
		if !stays {
			list = append(list, ch)
		}
	}
	return list
}

// mergedKey leads from a member to the one merged into it last.
func (s *Switch) mergedKey(merchant string, id ledger.AccountID) ledger.Key {
	return s.ledger.Hash("merged", merchant, id.String())
}

// mergedBeforeKey leads from a member who was merged to the one merged before
// into the same.
func (s *Switch) mergedBeforeKey(merchant string, id ledger.AccountID) ledger.Key {
	return s.ledger.Hash("merged before", merchant, id.String())
}

// noteMerged puts a member at the head of the other's list of those merged
// into it, in the batch of the record before it. The list needs no claim of
// its own: merges of a merchant are decided one at a time.
func (s *Switch) noteMerged(tx *ledger.Tx, merchant string, from, into ledger.AccountID) error {
	list := s.mergedKey(merchant, into)
	newest, err := tx.Link(list)
	if err != nil {
		return err
	}
	if newest != nil {
		if err := tx.PutLink(s.mergedBeforeKey(merchant, from), *newest); err != nil {
			return err
		}
	}
	return tx.PutLink(list, ledger.Link{Account: from})
}

// oneWith lists a member and everybody who was merged into it, directly or
// through others, itself first and limit at most.
func (s *Switch) oneWith(merchant string, id ledger.AccountID, limit int) ([]ledger.AccountID, error) {
	all := []ledger.AccountID{id}
	for i := 0; i < len(all); i++ {
		link, err := s.ledger.Link(s.mergedKey(merchant, all[i]))
		for ; err == nil && link != nil && len(all) < limit; link, err = s.ledger.Link(s.mergedBeforeKey(merchant, link.Account)) {
			if slices.Contains(all, link.Account) {
				break
			}
			all = append(all, link.Account)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// upline appends who stands above a member to list, nearest first: those that
// were noted at registration and are still above it. Nobody is rewarded for
// one's own purchases, nor two members for each other's.
func (s *Switch) upline(a *ledger.Account, list []ledger.AccountID) ([]ledger.AccountID, error) {
	if len(a.Upline) == 0 {
		return list, nil
	}
	link, err := s.ledger.Link(s.mergedKey(a.Merchant, a.ID))
	if err != nil {
		return list, err
	}
	if link == nil { // nearly always
		return append(list, a.Upline...), nil
	}
	one, err := s.oneWith(a.Merchant, a.ID, maxHops)
	if err != nil {
		return list, err
	}
	return append(list, a.Above(one)...), nil
}

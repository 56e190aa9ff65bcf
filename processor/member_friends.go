package processor

import (
	"tillgate/ledger"
	"tillgate/protocol"
)

// Who invited whom. A member's account names who invited it; the other way
// round is a chain of links: one key leads from a member to the friend invited
// last, another from each friend to the one before. Both are written in the
// batch of the friend's registration, whatever partition that is in, while the
// registration owns the first key: two friends at the same moment wait for
// each other.

var _ = serve(protocol.CallReferral, plan{route: routeReferral, decide: decideReferral})

const (
	friendsPage = 100 // friends of a page when the caller asks for none
	friendsMost = 500 // and at most
	// friendsSeen bounds the friends that are looked at for one page: erased
	// ones are not shown.
	friendsSeen = 4 * friendsMost
	// friendsDeep is how many levels are listed where the programme rewards
	// fewer (F1).
	friendsDeep = 3
)

// friendsKey leads to the friend whom a member invited last.
func (s *Switch) friendsKey(merchant string, id ledger.AccountID) ledger.Key {
	return s.ledger.Hash("friends", merchant, id.String())
}

// friendBeforeKey leads from a friend to the one invited before by the same
// member.
func (s *Switch) friendBeforeKey(merchant string, id ledger.AccountID) ledger.Key {
	return s.ledger.Hash("friend before", merchant, id.String())
}

// uplineKey lets one provisional member of a merchant register under another
// at a time.
func (s *Switch) uplineKey(merchant string) ledger.Key { return s.ledger.Hash("upline", merchant) }

// claimEnrol owns the identifiers of a registration, and the list of friends
// of who invited it. A provisional member may have friends already, so it may
// stand above whom it names: such registrations are decided one at a time,
// because two or more of them at the same moment could close a circle that
// none of them sees. Somebody new has nobody below and needs no such care.
func claimEnrol(t *Task) {
	claimProfile(t)
	r := t.request()
	if r.Profile.Referrer.Kind == protocol.NoIdentifier {
		return
	}
	id, found, err := t.s.referrer(r.Caller.Merchant, r.Profile.Referrer)
	switch {
	case err != nil:
		t.internal("a referrer can't be read", err)
		return
	case found:
		t.claim.add(t.s.friendsKey(r.Caller.Merchant, id))
	}
	list, n := t.profileLinks()
	for _, id := range list[:n] {
		if _, there, err := t.s.link(id.key); err == nil && there {
			t.claim.add(t.s.uplineKey(r.Caller.Merchant))
		}
	}
}

// befriend puts the member who registers at the head of the referrer's list,
// in the batch of the record before it.
func (t *Task) befriend(tx *ledger.Tx) error {
	if t.who.second == 0 {
		return nil
	}
	merchant := t.request().Caller.Merchant
	list := t.s.friendsKey(merchant, t.who.second)
	newest, err := tx.Link(list)
	if err != nil {
		return err
	}
	if newest != nil {
		if err := tx.PutLink(t.s.friendBeforeKey(merchant, t.who.account), *newest); err != nil {
			return err
		}
	}
	return tx.PutLink(list, ledger.Link{Account: t.who.account})
}

// routeReferral reads the lists on the caller's goroutine: they lie in many
// partitions. What was read is on disk before the answer goes out.
func routeReferral(t *Task) {
	routeTarget(t)
	if t.refused() {
		return
	}
	// An id of before a merge means the member who took over.
	id, found, err := t.s.living(t.request().Caller.Merchant, t.who.account)
	switch {
	case err != nil:
		t.internal("an account can't be read", err)
		return
	case !found:
		return // refused on the shard
	}
	t.settle(id)
	if err := t.friends(); err != nil {
		t.internal("a list of friends can't be read", err)
		return
	}
	if err := t.s.ledger.WaitSynced(); err != nil {
		t.internal("a list of friends is not on disk", err)
	}
}

// friends fills a page of those whom the member has invited, and theirs: each
// before those it has invited, the newest first. Members who were merged are
// one, by the id where it lives now.
func (t *Task) friends() error {
	r, out := t.request(), t.response()
	w := tree{s: t.s, merchant: r.Caller.Merchant, root: t.who.account, levels: friendsDeep}
	if v, ok := t.s.programs.at(r.Caller.Merchant, t.came); ok {
		w.levels = max(w.levels, v.Program.ReferralLevels())
	}
	var err error
	if w.roots, err = t.s.oneWith(w.merchant, w.root, maxHops); err != nil {
		return err
	}
	known := true
	if r.Cursor == "" {
		w.level = 1
		_, err = w.enter(w.roots)
	} else {
		known, err = w.resume(r.Cursor)
	}
	if !known {
		t.refuse(protocol.InvalidRequest, "cursor", "is none that this call has given for this member")
		return err
	}
	limit := min(r.Limit, friendsMost)
	if limit == 0 {
		limit = friendsPage
	}
	for seen := 0; err == nil && w.at != nil; seen++ {
		if len(out.Friends) == limit || seen == friendsSeen {
			out.NextCursor = w.at.ID.String()
			return nil
		}
		var lives *ledger.Account
		if lives, err = w.shown(); err == nil && lives != nil {
			out.Friends = append(out.Friends, protocol.Friend{
				ID: lives.ID.String(), Level: w.level, Since: w.at.Joined, Points: w.brought(lives),
			})
		}
		if err == nil {
			err = w.next(lives)
		}
	}
	return err
}

// decideReferral tells who invited the member, by the id where that one lives
// now (nobody if it was erased), and what friends have brought.
func decideReferral(t *Task, tx *ledger.Tx) error {
	a, err := t.member(tx)
	if err != nil || t.redirect != 0 || t.refused() {
		return err
	}
	r := t.response()
	r.Member.ID = a.ID.String()
	if a.Registered {
		r.Member.ReferralCode = t.s.referralCode(a.Merchant, a.ID)
	}
	up, err := t.s.upline(a, nil)
	if err != nil {
		return err
	}
	if len(up) > 0 {
		lives, found, err := t.s.living(a.Merchant, up[0])
		if err != nil {
			return err
		}
		if found {
			r.Referrer = lives.String()
		}
	}
	r.Points = counterOf(a, received)
	return nil
}

package processor

import (
	"errors"

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
	// maxFriends bounds the friends that one answer lists, the newest of each
	// level first: a page that people read.
	maxFriends = 500
	// maxLevel is how deep the list goes, which is as deep as rewards go (F1).
	maxLevel = 3
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

// friends lists whom the member invited, then whom those invited, and so on.
// Members who were merged are one: the friends of all of them are listed, each
// once and by the id where it lives now.
func (t *Task) friends() error {
	r := t.response()
	seen := map[ledger.AccountID]bool{t.who.account: true}
	above := []ledger.AccountID{t.who.account}
	for level := 1; level <= maxLevel && len(above) > 0; level++ {
		var below []ledger.AccountID
		for _, id := range above {
			invited, err := t.invited(id, maxFriends-len(r.Friends), seen)
			if err != nil {
				return err
			}
			for _, f := range invited {
				r.Friends = append(r.Friends, protocol.Friend{ID: f.id.String(), Level: level, Since: f.since})
				below = append(below, f.id)
			}
		}
		above = below
	}
	return nil
}

// friend is somebody who was invited: where the member lives now, and since
// when it is registered.
type friend struct {
	id    ledger.AccountID
	since int64
}

// invited are up to limit members whom one, or anybody merged into it, has
// invited: of each the newest first. Erased ones are left out: nobody may find
// them. So are those that have been seen, like a friend who was merged into
// the member.
func (t *Task) invited(id ledger.AccountID, limit int, seen map[ledger.AccountID]bool) ([]friend, error) {
	merchant := t.request().Caller.Merchant
	members, err := t.s.oneWith(merchant, id, maxFriends)
	if err != nil {
		return nil, err
	}
	var all []friend
	for _, one := range members {
		link, err := t.s.ledger.Link(t.s.friendsKey(merchant, one))
		for ; err == nil && link != nil && len(all) < limit; link, err = t.s.ledger.Link(t.s.friendBeforeKey(merchant, link.Account)) {
			a, err := t.s.ledger.Account(link.Account)
			if err != nil || a == nil {
				return nil, errors.Join(err, errFriend)
			}
			lives, found, err := t.s.living(merchant, a.ID)
			if err != nil {
				return nil, err
			}
			if found && !seen[lives] {
				seen[lives] = true
				all = append(all, friend{id: lives, since: a.Joined})
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

var errFriend = errors.New("a list of friends names an account that does not exist")

// decideReferral tells who invited the member, by the id where that one lives
// now; nobody if it was erased.
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
	if up := t.s.uplineOf(a, nil); len(up) > 0 {
		lives, found, err := t.s.living(a.Merchant, up[0])
		if err != nil {
			return err
		}
		if found {
			r.Referrer = lives.String()
		}
	}
	return nil
}

package processor

import (
	"math"
	"slices"

	"tillgate/ledger"
	"tillgate/protocol"
)

// Erasure removes everything personal of a member: profile, links, codes. The
// books stay; the account keeps its number, its operations and its balance.
//
// Members merged into this one are part of it, and each is erased in its own
// partition. They come first: a crash in between leaves a member that can
// still be found, and the caller's repeat erases the rest.

var _ = serve(protocol.CallDeleteMember, plan{claim: claimTarget, direct: eraseMember})

// eraseMember serves the call. It waits for each partition in turn: erasures
// are rare and come from an office.
func eraseMember(t *Task) error {
	r, out := t.request(), t.response()
	id, err := ledger.ParseAccountID(r.Target)
	var found bool
	if err == nil {
		id, found, err = t.s.living(r.Caller.Merchant, id)
		if err != nil {
			return err
		}
	}
	if !found {
		t.refuse(protocol.MemberNotFound, "", "no member has this id")
		return nil
	}
	all, err := t.s.oneWith(r.Caller.Merchant, id, math.MaxInt)
	if err != nil {
		return err
	}
	for _, one := range slices.Backward(all) {
		if err := t.s.erase(one, r); err != nil {
			return err
		}
	}
	out.ID, out.Status = id.String(), "erased"
	return nil
}

// erase erases one account in its partition and waits until that is on disk.
func (s *Switch) erase(id ledger.AccountID, by *protocol.Request) error {
	done := make(chan error, 1)
	task := &eraseTask{s: s, id: id, merchant: by.Caller.Merchant, actor: by.Caller.Key, done: done}
	if err := s.ledger.Submit(id.Partition(s.partitions), task); err != nil {
		return err
	}
	return <-done
}

// eraseTask erases one account.
type eraseTask struct {
	s               *Switch
	id              ledger.AccountID
	merchant, actor string
	done            chan<- error
}

func (e *eraseTask) Decide(tx *ledger.Tx) error {
	a, err := tx.Account(e.id)
	if err != nil || a == nil || a.Erased {
		return err
	}
	p, err := txProfile(tx, e.id)
	if err != nil {
		return err
	}
	op := ledger.Operation{
		Kind: ledger.KindErase, Render: renderVersion, At: tx.Now(), Account: e.id,
		Merchant: e.merchant, Actor: e.actor, Status: "erased",
	}
	if _, err := tx.Append(&op); err != nil {
		return err
	}
	if err := tx.EndCode(e.id); err != nil {
		return err
	}
	for _, id := range p.identifiers() {
		key, _ := e.s.identifierKey(e.merchant, id.Kind, id.Value)
		link, err := tx.Link(key)
		if err != nil {
			return err
		}
		if link == nil || link.Account != e.id {
			continue // whom it was merged into has taken it over, and perhaps given it up since
		}
		if err := tx.DeleteLink(key); err != nil {
			return err
		}
	}
	if p.Referral != "" {
		if err := tx.DeleteLink(e.s.referralKey(e.merchant, p.Referral)); err != nil {
			return err
		}
	}
	return tx.DeleteProfile(e.id)
}

func (e *eraseTask) Done(err error) { e.done <- err }

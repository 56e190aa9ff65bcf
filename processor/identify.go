package processor

import (
	"crypto/rand"
	"encoding/binary"
	"strconv"
	"strings"

	"tillgate/ledger"
	"tillgate/protocol"
)

// identity is what is known about whom a request means.
type identity struct {
	account ledger.AccountID
	// fresh: the phone number is unknown; account is a new random id, and a
	// provisional member is made under it if the request books something.
	fresh bool
	key   ledger.Key  // of the identifier, for a link to be made
	link  ledger.Link // that was found
	// second is the other member that a call is about: who invited, or into
	// whom this one is merged.
	second ledger.AccountID
	upline []ledger.AccountID // of a registration: who invited, who is above that one and so on
	code   ledger.Key         // hash of the one-time code that names the account; zero if none
}

// normalPhone is a phone number as it is hashed: E.164, a plus and 8 to 15
// digits, as [protocol.ValidPhone] wants it.
func normalPhone(s string) string { return strings.TrimSpace(s) }

// normalEmail is an e-mail address as it is hashed: in lower case. The part
// before the @ could differ by case, but no provider of ours' members does
// that, and people write it either way.
func normalEmail(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// normalCard is a card number as it is hashed: without the spaces and dashes
// that it may be printed with, letters in capitals.
func normalCard(s string) string {
	clean := true
	for i := range len(s) {
		if c := s[i]; c == ' ' || c == '-' || c >= 'a' && c <= 'z' {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(s))
}

// identifierKey is the key under which an identifier of a merchant's members
// is linked to an account. False for kinds that have no links: ids and codes.
func (s *Switch) identifierKey(merchant string, kind protocol.IdentifierKind, value string) (ledger.Key, bool) {
	switch kind {
	case protocol.ByPhone:
		return s.ledger.Hash("id", merchant, "phone", normalPhone(value)), true
	case protocol.ByEmail:
		return s.ledger.Hash("id", merchant, "email", normalEmail(value)), true
	case protocol.ByCard:
		return s.ledger.Hash("id", merchant, "card", normalCard(value)), true
	}
	return ledger.Key{}, false
}

// codeKey is the key under which a one-time code is kept.
func (s *Switch) codeKey(merchant, code string) ledger.Key {
	return s.ledger.Hash("code", merchant, code)
}

// codePartition is the partition that a six-digit code names: a code is drawn
// so that it leads to its account's.
func codePartition(code string, partitions int) int {
	n, err := strconv.Atoi(code)
	if err != nil || n < 0 {
		return 0
	}
	return n % partitions
}

// newAccountID draws an account id. It is drawn before the shard decides,
// because deciding has no randomness of its own.
func newAccountID() (ledger.AccountID, error) {
	var b [8]byte
	for {
		if _, err := rand.Read(b[:]); err != nil {
			return 0, err
		}
		if id := ledger.AccountID(binary.BigEndian.Uint64(b[:])); id != 0 {
			return id, nil
		}
	}
}

// claimMember owns the identifier of a member who may have to be made, so
// that two first purchases of one phone number make one member.
func (t *Task) claimMember() {
	r := t.request()
	if r.Member.Kind != protocol.ByPhone {
		return
	}
	key, _ := t.s.identifierKey(r.Caller.Merchant, r.Member.Kind, r.Member.Value)
	if _, found, err := t.s.link(key); err == nil && !found {
		t.claim.add(key)
	}
}

// link reads an identifier's link.
func (s *Switch) link(key ledger.Key) (ledger.Link, bool, error) {
	l, err := s.ledger.Link(key)
	if err != nil || l == nil {
		return ledger.Link{}, false, err
	}
	return *l, true, nil
}

// identify finds the account that the request's member names, or refuses. An
// unknown phone number gets a new id and fresh. A one-time code names only the
// partition; the account is found on the shard ([Task.member]).
func (t *Task) identify() {
	t.identifyBy(t.request().Member)
}

func (t *Task) identifyBy(m protocol.Identifier) {
	switch m.Kind {
	case protocol.ByID:
		id, err := ledger.ParseAccountID(m.Value)
		if err != nil {
			t.refuse(protocol.MemberNotFound, "", "no member has this id")
			return
		}
		t.settle(id)
	case protocol.ByCode:
		t.who.code = t.s.codeKey(t.request().Caller.Merchant, m.Value)
		t.partition = codePartition(m.Value, t.s.partitions)
		t.tryCode()
	case protocol.ByPhone, protocol.ByEmail, protocol.ByCard:
		t.identifyByLink(m)
	default:
		t.refuse(protocol.InvalidRequest, "member", "exactly one of id, phone, card, code, email is wanted")
	}
}

// settle takes an account and its partition.
func (t *Task) settle(id ledger.AccountID) {
	t.who.account = id
	t.partition = id.Partition(t.s.partitions)
}

func (t *Task) identifyByLink(m protocol.Identifier) {
	key, _ := t.s.identifierKey(t.request().Caller.Merchant, m.Kind, m.Value)
	link, found, err := t.s.link(key)
	switch {
	case err != nil:
		t.internal("an identifier's link can't be read", err)
	case found && m.Kind == protocol.ByCard:
		t.who.link = link
		if t.refuseCard(link); link.Account != 0 {
			t.settle(link.Account)
		} else if !t.refused() {
			t.refuse(protocol.CardNotFound, "", "the card is nobody's yet; give it to a member first")
		}
	case found:
		t.who.link = link
		t.settle(link.Account)
	case m.Kind == protocol.ByCard:
		t.refuse(protocol.CardNotFound, "", "no such card")
	case m.Kind == protocol.ByEmail:
		t.refuse(protocol.MemberNotFound, "", "no member has this e-mail address")
	case t.plan.keyed && !t.claim.has(key):
		// It led to a member when the keys were claimed.
		t.refuse(protocol.Unavailable, "", "the member is being changed at this moment; try again")
	default:
		id, err := newAccountID()
		if err != nil {
			t.internal("no random bytes", err)
			return
		}
		t.who.fresh, t.who.key = true, key
		t.settle(id)
	}
}

// refuseCard declines cards that may not be used. A new card may: its first
// use is what makes it known.
func (t *Task) refuseCard(l ledger.Link) {
	switch {
	case l.State == ledger.CardBlocked, l.State == ledger.CardClosed:
		t.refuse(protocol.CardBlocked, "", "the card may not be used any more")
	case l.State == ledger.CardCompleted, l.Expires != 0 && l.Expires <= t.cardTime():
		t.refuse(protocol.CardExpired, "", "the card has expired")
	}
}

// cardTime is the moment at which a card has to be valid: now, but for an
// offline receipt or an advice, which tells of a purchase that has been.
func (t *Task) cardTime() int64 {
	r := t.request()
	if at, _, set := t.asked(t.came, t.zone()); set && (r.Offline || r.ISO.Advice) {
		return min(at, t.came)
	}
	return t.came
}

// member gives the account on the shard: nil with no refusal for a fresh one.
// It follows a merged account by asking for another partition, which leaves
// the task with redirect set.
func (t *Task) member(tx *ledger.Tx) (*ledger.Account, error) {
	if t.who.code != (ledger.Key{}) && t.who.account == 0 {
		account, until, ok, err := tx.Code(t.who.code)
		if err != nil {
			return nil, err
		}
		if !ok || until <= tx.Now() {
			t.wrong = true
			t.refuse(protocol.CodeInvalid, "", "the one-time code is wrong or has ended")
			return nil, nil
		}
		t.who.account = account
	}
	if t.who.fresh {
		return nil, nil
	}
	a, err := tx.Account(t.who.account)
	if err != nil {
		return nil, err
	}
	switch {
	case a == nil || a.Erased || a.Merchant != t.request().Caller.Merchant:
		t.who.account = 0
		t.refuse(protocol.MemberNotFound, "", "no such member")
		return nil, nil
	case a.Into != 0:
		t.redirect = a.Into
		return nil, nil
	}
	return a, nil
}

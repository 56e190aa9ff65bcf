package processor

import (
	"errors"
	"slices"
	"strings"
	"time"

	"tillgate/ledger"
	"tillgate/protocol"
)

// Registration and look-up of members.
//
// An identifier is claimed in process while its first use is decided, and the
// account, its links and its profile go into one batch: there is no moment at
// which one is on disk without the others.

var _ = serve(protocol.CallCreateMember, plan{
	kind: ledger.KindEnrol, keyed: true,
	claim: claimEnrol, route: routeEnrol, decide: decideEnrol, complete: completeEnrol,
})

var _ = serve(protocol.CallGetMember, plan{route: routeTarget, decide: decideShow})

var _ = serve(protocol.CallLookupMember, plan{route: routeKnown, decide: decideShow})

// routeTarget finds the account whose id stands in the path.
func routeTarget(t *Task) {
	t.identifyBy(protocol.Identifier{Kind: protocol.ByID, Value: t.request().Target})
}

// routeKnown finds the member that the body names; one that would first have
// to be made is not found.
func routeKnown(t *Task) {
	t.identify()
	if t.who.fresh {
		t.refuse(protocol.MemberNotFound, "", "no member has this phone number")
	}
}

// profileLinks are the identifiers of the profile that was sent: at most a
// phone number and an e-mail address.
func (t *Task) profileLinks() (list [2]struct {
	kind protocol.IdentifierKind
	key  ledger.Key
}, n int) {
	r := t.request()
	for _, id := range []struct {
		kind  protocol.IdentifierKind
		value *string
	}{{protocol.ByPhone, r.Profile.Phone}, {protocol.ByEmail, r.Profile.Email}} {
		if id.value == nil || *id.value == "" {
			continue
		}
		list[n].kind = id.kind
		list[n].key, _ = t.s.identifierKey(r.Caller.Merchant, id.kind, *id.value)
		n++
	}
	return list, n
}

// claimProfile owns the identifiers that are to be linked.
func claimProfile(t *Task) {
	list, n := t.profileLinks()
	for _, id := range list[:n] {
		t.claim.add(id.key)
	}
}

// claimTarget owns the profile of the member in the path.
func claimTarget(t *Task) { t.claim.add(t.s.profileClaim(t.request().Target)) }

// routeEnrol finds the account that already has one of the identifiers, which
// may be a provisional one that now registers, or draws a new id.
func routeEnrol(t *Task) {
	if t.unborn() {
		return
	}
	list, n := t.profileLinks()
	for _, id := range list[:n] {
		link, found, err := t.s.link(id.key)
		if err != nil {
			t.internal("an identifier's link can't be read", err)
			return
		}
		if found {
			t.who.link = link
			t.settle(link.Account)
			break
		}
	}
	if t.who.account == 0 {
		id, err := newAccountID()
		if err != nil {
			t.internal("no random bytes", err)
			return
		}
		t.who.fresh = true
		t.settle(id)
	}
	routeReferrer(t)
}

// unborn refuses a birthday that lies in the future wherever the shop is.
func (t *Task) unborn() bool {
	born := t.request().Profile.Birthday
	if born == nil || *born <= time.Unix(0, t.came).UTC().Add(14*time.Hour).Format(time.DateOnly) {
		return false
	}
	t.refuse(protocol.InvalidRequest, "birthday", "lies in the future")
	return true
}

// internal refuses a request for a fault of ours; the cause goes to the log.
func (t *Task) internal(what string, err error) {
	t.s.o.Logger.Error(what, "cause", err)
	t.refuse(protocol.Internal, "", "the server failed; nothing was booked")
}

// routeReferrer finds who invited the member, and refuses oneself and circles.
func routeReferrer(t *Task) {
	r := t.request()
	ref := r.Profile.Referrer
	if ref.Kind == protocol.NoIdentifier || t.refused() {
		return
	}
	id, found, err := t.s.referrer(r.Caller.Merchant, ref)
	switch {
	case err != nil:
		t.internal("a referrer can't be read", err)
	case !found && ref.Kind == protocol.ByPhone && r.Profile.Phone != nil && normalPhone(ref.Value) == normalPhone(*r.Profile.Phone):
		t.refuse(protocol.ReferrerNotAllowed, "referrer", "nobody invites oneself")
	case !found:
		t.refuse(protocol.MemberNotFound, "referrer", "the referrer is no member")
	case !t.claim.has(t.s.friendsKey(r.Caller.Merchant, id)), !t.who.fresh && !t.claim.has(t.s.uplineKey(r.Caller.Merchant)):
		t.refuse(protocol.Unavailable, "", "the referrer is being changed at this moment; try again")
	default:
		t.who.second = id
		t.above(id)
		t.refuseCircle(id)
	}
}

// above notes who stands above a member whom id has invited: id, and those who
// stand above id now. Members who were merged are one, at the nearest place of
// any of them.
func (t *Task) above(id ledger.AccountID) {
	a, err := t.s.ledger.Account(id)
	if err != nil || a == nil {
		t.internal("a referrer can't be read", err)
		return
	}
	list := append(t.who.upline[:0], id)
	ups, err := t.s.upline(a, nil)
	for _, up := range ups {
		lives, found, bad := t.s.living(a.Merchant, up)
		err = errors.Join(err, bad)
		if !found {
			lives = up // erased: the place above it is nobody else's
		}
		if lives != t.who.account && !slices.Contains(list, lives) && len(list) < ledger.MaxUpline {
			list = append(list, lives)
		}
	}
	if err != nil {
		t.internal("a referrer can't be read", err)
	}
	t.who.upline = list
}

// referrer finds a member by what a registration may name: id, phone number or
// referral code.
func (s *Switch) referrer(merchant string, ref protocol.Identifier) (ledger.AccountID, bool, error) {
	if ref.Kind == protocol.ByID {
		id, err := ledger.ParseAccountID(ref.Value)
		if err != nil {
			return 0, false, nil //nolint:nilerr // what is no id is nobody's
		}
		return s.living(merchant, id)
	}
	key := s.referralKey(merchant, strings.ToUpper(ref.Value))
	if ref.Kind == protocol.ByPhone {
		key, _ = s.identifierKey(merchant, protocol.ByPhone, ref.Value)
	}
	link, found, err := s.link(key)
	if err != nil || !found {
		return 0, false, err
	}
	return s.living(merchant, link.Account)
}

// living follows merges from an account to where it lives now.
func (s *Switch) living(merchant string, id ledger.AccountID) (ledger.AccountID, bool, error) {
	for range maxHops {
		a, err := s.ledger.Account(id)
		if err != nil || a == nil || a.Erased || a.Merchant != merchant {
			return 0, false, err
		}
		if a.Into == 0 {
			return id, true, nil
		}
		id = a.Into
	}
	return 0, false, nil
}

// maxUpline bounds who is looked at above a member; those beyond stand so far
// above that they are rewarded for nobody below.
const maxUpline = 100

// refuseCircle refuses a referrer who stands below the member who registers.
// Only a provisional member can have anybody below, because referrers are fixed
// at registration.
func (t *Task) refuseCircle(id ledger.AccountID) {
	if t.who.fresh {
		return
	}
	circle, err := t.s.standsBelow(t.request().Caller.Merchant, id, t.who.account)
	switch {
	case err != nil:
		t.internal("a referrer can't be read", err)
	case circle:
		t.refuse(protocol.ReferrerNotAllowed, "referrer", "members must not invite each other in a circle")
	}
}

// standsBelow reports whether another stands above a member, or is that one
// itself: by any way, as rewards go to all of an upline, and members who were
// merged are one. The nearest are looked at first, maxUpline of them.
func (s *Switch) standsBelow(merchant string, id, other ledger.AccountID) (bool, error) {
	list := []ledger.AccountID{id}
	for i := 0; i < len(list) && i < maxUpline; i++ {
		a, err := s.ledger.Account(list[i])
		for hops := 0; err == nil && a != nil && a.Into != 0 && hops < maxHops; hops++ {
			a, err = s.ledger.Account(a.Into)
		}
		if err != nil {
			return false, err
		}
		if a == nil || a.Merchant != merchant {
			continue
		}
		if a.ID == other {
			return true, nil
		}
		ups, err := s.upline(a, nil)
		if err != nil {
			return false, err
		}
		for _, up := range ups {
			if !slices.Contains(list, up) {
				list = append(list, up)
			}
		}
	}
	return false, nil
}

// referralKey is the key under which a referral code is linked to its member.
func (s *Switch) referralKey(merchant, code string) ledger.Key {
	return s.ledger.Hash("id", merchant, "referral", code)
}

// referralAlphabet is base 32 without letters that are mistaken for digits.
const referralAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// referralCode is a member's code to invite others with: ten characters made
// of the id by a keyed hash, so that it is the same whenever it is shown and
// tells nothing of the id.
func (s *Switch) referralCode(merchant string, id ledger.AccountID) string {
	key := s.ledger.Hash("referral code", merchant, id.String())
	var code [10]byte
	for i := range code {
		code[i] = referralAlphabet[key[i]&31]
	}
	return string(code[:])
}

// decideEnrol makes the member, or registers the provisional one that a
// purchase has made.
func decideEnrol(t *Task, tx *ledger.Tx) error {
	a, err := t.member(tx)
	if err != nil || t.redirect != 0 {
		return err
	}
	if t.refused() {
		return t.decline(tx, protocol.AlreadyExists, "", "the phone number or e-mail address belongs to another member")
	}
	list, n := t.profileLinks()
	for _, id := range list[:n] {
		link, err := tx.Link(id.key)
		if err != nil {
			return err
		}
		if link == nil {
			continue
		}
		own := a != nil && !a.Registered
		if own {
			own, err = t.s.leadsTo(link, a)
		}
		if err != nil {
			return err
		}
		if !own {
			return t.decline(tx, protocol.AlreadyExists, identifierField(id.kind), "a registered member has it already")
		}
	}
	t.when = t.moment(tx.Now())
	kind := ledger.KindEnrol
	if a != nil {
		kind = ledger.KindRegister
	}
	t.stamp(&t.op, kind)
	t.op.Registered = true
	t.op.Upline = append(t.op.Upline, t.who.upline...)
	t.op.Status = "registered"
	p, err := txProfile(tx, t.who.account)
	if err != nil {
		return err
	}
	p.take(t.request().Profile)
	if err := t.welcome(tx, &t.op, a, p); err != nil {
		return err
	}
	source := p.Source
	if err := t.record(tx); err != nil {
		return err
	}
	if err := t.befriend(tx); err != nil {
		return err
	}
	return t.putProfile(tx, func(p *profile) {
		p.take(t.request().Profile)
		p.Source = source
		p.Referral = t.s.referralCode(t.request().Caller.Merchant, t.who.account)
	})
}

// leadsTo reports whether an identifier's link leads to a, perhaps by way of a
// member who was merged into a.
func (s *Switch) leadsTo(link *ledger.Link, a *ledger.Account) (bool, error) {
	if link.Account == a.ID {
		return true, nil
	}
	lives, found, err := s.living(a.Merchant, link.Account)
	return found && lives == a.ID, err
}

func identifierField(k protocol.IdentifierKind) string {
	if k == protocol.ByEmail {
		return "email"
	}
	return "phone"
}

// putProfile changes the member's profile and the links that go with it, in
// the batch of the record before it.
func (t *Task) putProfile(tx *ledger.Tx, change func(*profile)) error {
	id, merchant := t.who.account, t.request().Caller.Merchant
	p, err := txProfile(tx, id)
	if err != nil {
		return err
	}
	old := *p
	change(p)
	relink := func(kind protocol.IdentifierKind, from, to string) error {
		if from == to {
			return nil
		}
		if from != "" {
			key, _ := t.s.identifierKey(merchant, kind, from)
			if err := tx.DeleteLink(key); err != nil {
				return err
			}
		}
		if to == "" {
			return nil
		}
		key, _ := t.s.identifierKey(merchant, kind, to)
		return tx.PutLink(key, ledger.Link{Account: id, Kind: uint8(kind)})
	}
	if err := relink(protocol.ByPhone, old.Phone, p.Phone); err != nil {
		return err
	}
	if err := relink(protocol.ByEmail, old.Email, p.Email); err != nil {
		return err
	}
	if p.Referral != old.Referral {
		if err := tx.PutLink(t.s.referralKey(merchant, p.Referral), ledger.Link{Account: id}); err != nil {
			return err
		}
	}
	plain, err := encodeProfile(p)
	if err != nil {
		return err
	}
	return tx.PutProfile(id, plain)
}

// txProfile reads a member's profile on the shard, where a write of the same
// batch shows.
func txProfile(tx *ledger.Tx, id ledger.AccountID) (*profile, error) {
	plain, err := tx.Profile(id)
	if err != nil {
		return nil, err
	}
	return decodeProfile(plain)
}

// decideShow answers about a member.
func decideShow(t *Task, tx *ledger.Tx) error {
	a, err := t.member(tx)
	if err != nil || t.redirect != 0 || t.refused() {
		return err
	}
	return t.show(tx, a)
}

// show fills the answer about a member: profile, cards, tier.
func (t *Task) show(tx *ledger.Tx, a *ledger.Account) error {
	r := t.response()
	p, err := txProfile(tx, a.ID)
	if err != nil {
		return err
	}
	r.HasMember = true
	m := &r.Member
	m.ID, m.Registered = a.ID.String(), a.Registered
	m.Tier = t.s.tier(a, tx.Now())
	p.view(m)
	if t.request().Caller.Role == protocol.RoleTill {
		m.Profile = nil // a till needs the name for its slip, and no more
	}
	return t.showCards(tx, a, p)
}

// showCards lists the member's cards, and those of members who were merged into
// it: they lead to it as well.
func (t *Task) showCards(tx *ledger.Tx, a *ledger.Account, p *profile) error {
	m := &t.response().Member
	m.Cards = m.Cards[:0]
	all, err := t.s.oneWith(a.Merchant, a.ID, maxHops)
	if err != nil {
		return err
	}
	for i, one := range all {
		if i > 0 {
			if p, err = txProfile(tx, one); err != nil {
				return err
			}
		}
		for _, c := range p.Cards {
			key, _ := t.s.identifierKey(a.Merchant, protocol.ByCard, c.Number)
			link, err := tx.Link(key)
			if err != nil {
				return err
			}
			if link != nil {
				m.Cards = append(m.Cards, cardView(link))
			}
		}
	}
	return nil
}

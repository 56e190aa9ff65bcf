package processor

import (
	"strings"

	"tillgate/ledger"
	"tillgate/protocol"
)

// Cards: a card is an identifier of an account with a state of its own. What
// the journal keeps of it is that something was done, never its number.

var _ = serve(protocol.CallAddCard, plan{
	kind: ledger.KindCard, keyed: true, claim: claimCard, route: routeTarget, decide: decideAddCard, complete: tellCard,
})

var _ = serve(protocol.CallPatchCard, plan{
	kind: ledger.KindCard, claim: claimCard, route: routeCard, decide: decidePatchCard, complete: tellCard,
})

var _ = serve(protocol.CallReplaceCard, plan{
	kind: ledger.KindCard, keyed: true, claim: claimCard, route: routeCard, decide: decideReplaceCard, complete: tellCard,
})

// cardStates are the states of a card by their names on the wire.
var cardStates = map[string]uint8{
	"new": ledger.CardNew, "active": ledger.CardActive, "blocked": ledger.CardBlocked,
	"closed": ledger.CardClosed, "completed": ledger.CardCompleted,
}

func cardStateName(state uint8) string {
	for name, s := range cardStates {
		if s == state {
			return name
		}
	}
	return ""
}

func cardView(l *ledger.Link) protocol.CardView {
	return protocol.CardView{
		Number:  "****" + l.Last4,
		Type:    strings.Clone(l.Type),
		State:   cardStateName(l.State),
		Expires: l.Expires,
	}
}

// maxCards bounds the cards of a member, closed ones included: the profile
// lists them. The cards of a firm that share one account are some dozens.
const maxCards = 256

// cardKey is the key of a card number of the caller's merchant.
func (t *Task) cardKey(number string) ledger.Key {
	key, _ := t.s.identifierKey(t.request().Caller.Merchant, protocol.ByCard, number)
	return key
}

// claimCard owns the numbers that the call is about and the profile that lists
// them; a number that has to be drawn is drawn here. A link that can't be read
// is told by the routing.
func claimCard(t *Task) {
	r := t.request()
	if r.Card.Template != "" {
		t.drawCard()
	}
	if number := t.newNumber(); number != "" {
		t.claim.add(t.cardKey(number))
	}
	if r.Call == protocol.CallAddCard {
		claimTarget(t)
		return
	}
	key := t.cardKey(r.Target)
	t.claim.add(key)
	if link, found, err := t.s.link(key); err == nil && found && link.Account != 0 {
		t.claim.add(t.s.profileClaim(link.Account.String()))
	}
}

// newNumber is the number that the call gives to a card: the drawn one, else
// the one sent; "" for neither.
func (t *Task) newNumber() string {
	if t.drawn != nil && len(t.drawn.numbers) > 0 {
		return t.drawn.numbers[0]
	}
	return normalCard(t.request().Card.Number)
}

// routeCard finds the account of the card in the path, whatever its state. A
// card that is nobody's yet has none; its record goes where the key's do.
func routeCard(t *Task) {
	link, found, err := t.s.link(t.cardKey(t.request().Target))
	switch {
	case err != nil:
		t.internal("a card's link can't be read", err)
	case !found:
		t.refuse(protocol.CardNotFound, "", "no such card")
	case link.Account == 0:
		t.who.link = link
		t.partition = t.cardKey(t.request().Target).Partition(t.s.partitions)
	default:
		t.who.link = link
		t.settle(link.Account)
	}
}

// newCard makes the link of a number that is to be the member's, or refuses.
// The number is a drawn one, that of a card which is nobody's yet, or one that
// nobody has seen: then the check digit is looked at if it has the shape of a
// template.
func (t *Task) newCard(tx *ledger.Tx, kind string, state uint8) (*ledger.Link, error) {
	r, number := t.request(), t.newNumber()
	taken, err := tx.Link(t.cardKey(number))
	if err != nil {
		return nil, err
	}
	template, known := t.s.directories.of(r.Caller.Merchant).templateOf(number)
	switch {
	case taken != nil && t.drawn != nil:
		t.refuse(protocol.Unavailable, "", "the number that was drawn was given away at this moment; try again")
		return nil, nil
	case taken != nil && taken.Account != 0:
		t.refuse(protocol.AlreadyExists, "number", "the card number is in use, or was once")
		return nil, nil
	case taken != nil && taken.State != ledger.CardNew:
		t.refuse(protocol.CardBlocked, "number", "the card may not be given to anybody any more")
		return nil, nil
	case taken == nil && known && template == nil:
		t.refuse(protocol.InvalidRequest, "number", "the check digit is wrong")
		return nil, nil
	}
	link := &ledger.Link{Account: t.who.account, Kind: uint8(protocol.ByCard), State: state, Last4: lastDigits(number)}
	link.Expires = template.expires(tx.Now(), t.zone())
	switch {
	case kind != "":
		link.Type = strings.Clone(kind)
	case taken != nil:
		link.Type = taken.Type
	case template != nil:
		link.Type = template.Type
	}
	return link, nil
}

// roomForCard reports whether the member's profile has room for another card,
// or refuses.
func (t *Task) roomForCard(tx *ledger.Tx) (bool, error) {
	p, err := txProfile(tx, t.who.account)
	if err != nil {
		return false, err
	}
	if len(p.Cards) >= maxCards {
		t.refuse(protocol.LimitExceededCount, "", "the member has 256 cards, closed ones included; no account has more")
		return false, nil
	}
	return true, nil
}

// give books that the member has a card of a new number, and lists it.
func (t *Task) give(tx *ledger.Tx, link *ledger.Link) error {
	number := t.newNumber()
	if err := t.recordCard(tx, number, link); err != nil {
		return err
	}
	return t.putProfile(tx, func(p *profile) {
		p.Cards = append(p.Cards, profileCard{Number: strings.Clone(number), Type: link.Type})
	})
}

// recordCard books that a card has changed and puts its link.
func (t *Task) recordCard(tx *ledger.Tx, number string, link *ledger.Link) error {
	t.when = t.moment(tx.Now())
	t.stamp(&t.op, ledger.KindCard)
	rec := cardRecord{state: link.State, expires: link.Expires, kind: link.Type}
	if t.drawn != nil {
		rec.draw = t.drawn.cardDraw
	}
	t.op.Status = cardStateName(link.State)
	t.op.Data = rec.append(t.op.Data)
	if err := t.record(tx); err != nil {
		return err
	}
	return tx.PutLink(t.cardKey(number), *link)
}

// decideAddCard gives the member a card.
func decideAddCard(t *Task, tx *ledger.Tx) error {
	a, err := t.member(tx)
	if err != nil || t.redirect != 0 {
		return err
	}
	if !t.refused() && !a.Registered {
		t.refuse(protocol.IdentificationTooWeak, "", "only a registered member can have cards")
	}
	if t.refused() {
		return t.decline(tx, t.refusal.code, t.refusal.field, t.refusal.detail)
	}
	r := t.request()
	state := cardStates[r.Card.State]
	if state == 0 {
		state = ledger.CardActive
	}
	var link *ledger.Link
	room, err := t.roomForCard(tx)
	if err == nil && room {
		link, err = t.newCard(tx, r.Card.Type, state)
	}
	switch {
	case err != nil:
		return err
	case link == nil:
		return t.declineRefused(tx)
	}
	return t.give(tx, link)
}

// decidePatchCard changes a card's state or type.
func decidePatchCard(t *Task, tx *ledger.Tx) error {
	r := t.request()
	link, err := t.ownCard(tx)
	if err != nil || link == nil {
		return err
	}
	if s := cardStates[r.Card.State]; s != 0 && s != link.State {
		if t.refuseState(link, s); t.refused() {
			return nil
		}
		link.State = s
	}
	if r.Card.Type != "" {
		link.Type = strings.Clone(r.Card.Type)
	}
	return t.recordCard(tx, r.Target, link)
}

// refuseState refuses a state that a card can't go to: a closed or completed
// card stays what it is, none becomes new again, and one that is nobody's is
// given to a member before it is used.
func (t *Task) refuseState(link *ledger.Link, to uint8) {
	switch {
	case link.State == ledger.CardClosed || link.State == ledger.CardCompleted:
		t.refuse(protocol.CardBlocked, "state", "a closed or completed card can't be opened again")
	case to == ledger.CardNew && link.Account != 0:
		t.refuse(protocol.InvalidRequest, "state", "a card does not become new again")
	case to == ledger.CardActive && link.Account == 0:
		t.refuse(protocol.InvalidRequest, "state", "a card becomes active when it is given to a member")
	}
}

// ownCard is the link of the card in the path, on the shard; nil if the
// request is refused or has to go elsewhere.
func (t *Task) ownCard(tx *ledger.Tx) (*ledger.Link, error) {
	nobodys := t.who.account == 0 && !t.refused()
	if !nobodys {
		if _, err := t.member(tx); err != nil || t.redirect != 0 {
			return nil, err
		}
	}
	if t.refused() {
		return nil, t.decline(tx, t.refusal.code, t.refusal.field, t.refusal.detail)
	}
	link, err := tx.Link(t.cardKey(t.request().Target))
	if err != nil {
		return nil, err
	}
	if link == nil {
		return nil, t.decline(tx, protocol.CardNotFound, "", "no such card")
	}
	link.Account = t.who.account
	return link, nil
}

// decideReplaceCard gives a lost card's account a new number. The old number
// is refused from then on; the balance, being the account's, stays, and so do
// type and validity.
func decideReplaceCard(t *Task, tx *ledger.Tx) error {
	old, err := t.ownCard(tx)
	if err != nil || old == nil {
		return err
	}
	switch {
	case old.Account == 0:
		return t.decline(tx, protocol.CardNotFound, "", "the card is nobody's yet")
	case old.State == ledger.CardClosed || old.State == ledger.CardCompleted:
		return t.decline(tx, protocol.CardBlocked, "", "the card has been replaced or closed already")
	}
	var link *ledger.Link
	room, err := t.roomForCard(tx)
	if err == nil && room {
		link, err = t.newCard(tx, old.Type, ledger.CardActive)
	}
	switch {
	case err != nil:
		return err
	case link == nil:
		return t.declineRefused(tx)
	}
	link.Type, link.Expires = old.Type, old.Expires
	if err := t.give(tx, link); err != nil {
		return err
	}
	old.State = ledger.CardClosed
	return tx.PutLink(t.cardKey(t.request().Target), *old)
}

// tellCard puts the number into the answer: in full where it was drawn, since
// nobody else knows it, else masked.
func tellCard(t *Task) {
	r := t.request()
	if rec, err := decodeCard(t.op.Data); err == nil && rec.draw.count == 1 {
		t.response().Card.Number = t.s.drawnNumbers(t.op.Merchant, &rec.draw)[0]
		return
	}
	number := r.Card.Number
	if r.Call == protocol.CallPatchCard {
		number = r.Target
	}
	t.response().Card.Number = string(protocol.MaskCard(nil, number))
}

// lastDigits are those that a masked number shows.
func lastDigits(number string) string {
	return strings.TrimLeft(string(protocol.MaskCard(nil, number)), "*")
}

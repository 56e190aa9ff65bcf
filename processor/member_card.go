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
		Number: "****" + l.Last4,
		Type:   strings.Clone(l.Type),
		State:  cardStateName(l.State),
	}
}

// cardKey is the key of a card number of the caller's merchant.
func (t *Task) cardKey(number string) ledger.Key {
	key, _ := t.s.identifierKey(t.request().Caller.Merchant, protocol.ByCard, number)
	return key
}

// claimCard owns the numbers that the call is about and the profile that lists
// them. A link that can't be read is told by the routing.
func claimCard(t *Task) {
	r := t.request()
	if r.Card.Number != "" {
		t.claim.add(t.cardKey(r.Card.Number))
	}
	if r.Call == protocol.CallAddCard {
		claimTarget(t)
		return
	}
	key := t.cardKey(r.Target)
	t.claim.add(key)
	if link, found, err := t.s.link(key); err == nil && found {
		t.claim.add(t.s.profileClaim(link.Account.String()))
	}
}

// routeCard finds the account of the card in the path, whatever its state.
func routeCard(t *Task) {
	link, found, err := t.s.link(t.cardKey(t.request().Target))
	switch {
	case err != nil:
		t.internal("a card's link can't be read", err)
	case !found:
		t.refuse(protocol.CardNotFound, "", "no such card")
	default:
		t.who.link = link
		t.settle(link.Account)
	}
}

// newCard makes the link of a number that is to be linked, or refuses.
func (t *Task) newCard(tx *ledger.Tx, kind string, state uint8) (*ledger.Link, error) {
	number := normalCard(t.request().Card.Number)
	taken, err := tx.Link(t.cardKey(number))
	if err != nil {
		return nil, err
	}
	if taken != nil {
		t.refuse(protocol.AlreadyExists, "number", "the card number is in use, or was once")
		return nil, nil
	}
	return &ledger.Link{
		Account: t.who.account, Kind: uint8(protocol.ByCard), State: state,
		Type: strings.Clone(kind), Last4: lastDigits(number),
	}, nil
}

// recordCard books that a card of the member has changed and puts its link.
func (t *Task) recordCard(tx *ledger.Tx, number string, link *ledger.Link) error {
	t.when = t.moment(tx.Now())
	t.stamp(&t.op, ledger.KindCard)
	t.op.Status = cardStateName(link.State)
	t.op.Data = encodeCard(t.op.Data, link)
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
	link, err := t.newCard(tx, r.Card.Type, state)
	if err != nil {
		return err
	}
	if link == nil {
		return t.decline(tx, t.refusal.code, t.refusal.field, t.refusal.detail)
	}
	if err := t.recordCard(tx, r.Card.Number, link); err != nil {
		return err
	}
	return t.putProfile(tx, func(p *profile) {
		p.Cards = append(p.Cards, profileCard{Number: strings.Clone(normalCard(r.Card.Number)), Type: link.Type})
	})
}

// decidePatchCard changes a card's state or type. A closed or completed card
// stays what it is.
func decidePatchCard(t *Task, tx *ledger.Tx) error {
	r := t.request()
	link, err := t.ownCard(tx)
	if err != nil || link == nil {
		return err
	}
	if (link.State == ledger.CardClosed || link.State == ledger.CardCompleted) && r.Card.State != "" && cardStates[r.Card.State] != link.State {
		t.refuse(protocol.CardBlocked, "state", "a closed or completed card can't be opened again")
		return nil
	}
	if s := cardStates[r.Card.State]; s != 0 {
		link.State = s
	}
	if r.Card.Type != "" {
		link.Type = strings.Clone(r.Card.Type)
	}
	return t.recordCard(tx, r.Target, link)
}

// ownCard is the link of the card in the path, on the shard; nil if the
// request is refused or has to go elsewhere.
func (t *Task) ownCard(tx *ledger.Tx) (*ledger.Link, error) {
	if _, err := t.member(tx); err != nil || t.redirect != 0 {
		return nil, err
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
// is refused from then on; the balance, being the account's, stays.
func decideReplaceCard(t *Task, tx *ledger.Tx) error {
	old, err := t.ownCard(tx)
	if err != nil || old == nil {
		return err
	}
	if old.State == ledger.CardClosed || old.State == ledger.CardCompleted {
		return t.decline(tx, protocol.CardBlocked, "", "the card has been replaced or closed already")
	}
	link, err := t.newCard(tx, old.Type, ledger.CardActive)
	if err != nil {
		return err
	}
	if link == nil {
		return t.decline(tx, t.refusal.code, t.refusal.field, t.refusal.detail)
	}
	r := t.request()
	if err := t.recordCard(tx, r.Card.Number, link); err != nil {
		return err
	}
	old.State = ledger.CardClosed
	if err := tx.PutLink(t.cardKey(r.Target), *old); err != nil {
		return err
	}
	return t.putProfile(tx, func(p *profile) {
		p.Cards = append(p.Cards, profileCard{Number: strings.Clone(normalCard(r.Card.Number)), Type: link.Type})
	})
}

// tellCard puts the number that the request named into the answer, masked.
func tellCard(t *Task) {
	r := t.request()
	number := r.Card.Number
	if r.Call == protocol.CallPatchCard {
		number = r.Target
	}
	t.response().Card.Number = "****" + lastDigits(number)
}

// lastDigits are the last four characters of a card's number, for people;
// of a short number so few that it stays unknown.
func lastDigits(number string) string {
	number = normalCard(number)
	return strings.Clone(number[len(number)-min(4, len(number)/3):])
}

// encodeCard is what a card's record keeps for its answer: the state's number
// and the type.
func encodeCard(dst []byte, l *ledger.Link) []byte {
	return append(append(dst[:0], l.State), l.Type...)
}

// decodeCard reads what encodeCard has written.
func decodeCard(data []byte) protocol.CardView {
	if len(data) == 0 {
		return protocol.CardView{}
	}
	return protocol.CardView{Type: string(data[1:]), State: cardStateName(data[0])}
}

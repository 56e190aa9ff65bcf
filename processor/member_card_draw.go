package processor

import (
	"crypto/rand"
	"runtime"
	"slices"
	"strings"

	"tillgate/ledger"
	"tillgate/protocol"
)

// Drawing of card numbers: one for a member, or a batch of cards that are
// nobody's yet.

var _ = serve(protocol.CallCardBatch, plan{
	kind: ledger.KindCard, keyed: true, claim: claimBatch, route: routeBatch, decide: decideBatch, complete: tellBatch,
})

// drawing is a draw under way, with the numbers it has given.
type drawing struct {
	cardDraw
	kind    string // the type of the cards
	numbers []string
}

const (
	// drawsForOne bounds the draws for one number. When so many of a template's
	// numbers exist that this is not enough, what is left could be guessed.
	drawsForOne = 16
	maxDraws    = drawsForOne * protocol.MaxCardBatch
)

// beginDraw takes the template and a new nonce, or refuses.
func (t *Task) beginDraw() bool {
	r := t.request()
	c := t.s.directories.of(r.Caller.Merchant).templates[r.Card.Template]
	if c == nil {
		t.refuse(protocol.NotFound, "template", "there is no such card template")
		return false
	}
	var nonce [16]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		t.internal("no random bytes", err)
		return false
	}
	t.drawn = &drawing{
		cardDraw: cardDraw{template: c.ID, pattern: c.pattern, check: c.Check, nonce: string(nonce[:])},
		kind:     c.Type,
	}
	return true
}

// draw draws until a number is free, as take sees it, or refuses.
func (t *Task) draw(i int, free func(key ledger.Key) (bool, error)) (next int, ok bool) {
	d := t.drawn
	for range drawsForOne {
		number := t.s.drawNumber(t.request().Caller.Merchant, &d.cardDraw, i)
		i++
		ok, err := free(t.cardKey(number))
		if err != nil {
			t.internal("a card's link can't be read", err)
			return i, false
		}
		if ok {
			d.numbers = append(d.numbers, number)
			d.count++
			return i, true
		}
		d.skipped = append(d.skipped, i-1)
	}
	t.refuse(protocol.LimitExceededCount, "template", "the template's numbers are used up; make one with more free digits")
	return i, false
}

// drawCard draws the number of a member's new card. Whether it is still free
// is looked at again where the card is given, while its key is owned.
func (t *Task) drawCard() {
	if !t.beginDraw() {
		return
	}
	_, ok := t.draw(0, func(key ledger.Key) (bool, error) {
		_, found, err := t.s.link(key)
		return !found, err
	})
	if !ok {
		t.drawn = nil
	}
}

// claimBatch lets one batch of a merchant be made at a time.
func claimBatch(t *Task) { t.claim.add(t.s.ledger.Hash("card batch", t.request().Caller.Merchant)) }

// routeBatch makes the cards, on the caller's goroutine, and puts their links
// where tills find them; the record comes after. Each number is owned until
// its link is on disk, so that nobody gives it to a member meanwhile. A crash
// before the record leaves cards whose numbers nobody was told.
func routeBatch(t *Task) {
	if !t.beginDraw() {
		return
	}
	owned := make([]ledger.Key, 0, t.request().Count)
	defer func() {
		for _, key := range owned {
			t.s.claims.give(key, t.s.resumeLater)
		}
	}()
	free := func(key ledger.Key) (bool, error) {
		if !t.s.claims.try(key) {
			return false, nil // another call is about it, or it was drawn before
		}
		owned = append(owned, key)
		_, found, err := t.s.link(key)
		return !found, err
	}
	for i := 0; len(t.drawn.numbers) < int(t.request().Count); {
		next, ok := t.draw(i, free)
		if !ok {
			return
		}
		i = next
		if len(t.drawn.numbers)%breath == 0 {
			runtime.Gosched()
		}
	}
	for piece := range slices.Chunk(t.drawn.numbers, rowsOfBatch) {
		rows := make([]ledger.LinkRow, 0, len(piece))
		for _, number := range piece {
			rows = append(rows, ledger.LinkRow{Key: t.cardKey(number), Link: ledger.Link{
				Kind: uint8(protocol.ByCard), State: ledger.CardNew, Type: t.drawn.kind, Last4: lastDigits(number),
			}})
		}
		if err := t.s.ledger.PutLinks(rows...); err != nil {
			t.internal("new cards can't be stored", err)
			return
		}
	}
}

// decideBatch records that the cards were made, and what their numbers are
// made of.
func decideBatch(t *Task, tx *ledger.Tx) error {
	t.when = t.moment(tx.Now())
	t.stamp(&t.op, ledger.KindCard)
	rec := cardRecord{state: ledger.CardNew, kind: t.drawn.kind, draw: t.drawn.cardDraw}
	t.op.Status, t.op.Data = cardStateName(rec.state), rec.append(t.op.Data)
	return t.record(tx)
}

// tellBatch puts the numbers into the answer: those just drawn, or, for a
// repeat, the same ones made again.
func tellBatch(t *Task) {
	out := t.response()
	rec, err := decodeCard(t.op.Data)
	if err != nil {
		t.s.o.Logger.Error("a card batch's record can't be read", "cause", err)
		return
	}
	out.Template, out.Count = strings.Clone(rec.draw.template), int64(rec.draw.count)
	if t.drawn != nil {
		out.Numbers = t.drawn.numbers
		return
	}
	out.Numbers = t.s.drawnNumbers(t.op.Merchant, &rec.draw)
}

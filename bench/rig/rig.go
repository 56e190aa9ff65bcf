// Package rig drives the built server from outside, through both edges, while
// it is killed, and proves the books afterwards. It knows nothing of the
// server but its command line and its contract.
//
// A [Crew] of workers, half of them tills on the ISO-8583 edge and half shops
// on the HTTP edge, sells to members of its own. Every request is noted in the
// worker's [Book] before it is sent and again when it is answered; one that is
// not answered, because the server has just been killed, is sent again as the
// same request until it is. Afterwards each answer must be what the book
// expects from the ones before it, a repeat of each request must bring the
// same answer, and the ledger, PostgreSQL and the book must agree.
package rig

import (
	"errors"
	"fmt"
	"math/rand/v2"
)

// Figures are what an answer says of money and points, in minor units.
type Figures struct {
	ID        string
	Status    string // HTTP: the answer's status; ISO: DE39
	Redeemed  int64  // points
	Payable   int64  // money
	Earned    int64  // points
	Available int64  // less the deficit
	Held      int64
	Pending   int64
}

// Ask is one request of a till or a shop.
type Ask struct {
	Kind     Kind
	Key      string // idempotency key, or STAN on the ISO edge
	Member   string // card number
	Total    int64  // minor units
	Points   int64  // to redeem, minor units
	Sale     string // id of the authorization that it is about
	Receipt  string
	Original string // of a reversal: the key to undo
}

// Kind is what is asked.
type Kind uint8

const (
	Authorize Kind = iota
	Confirm
	Void
	Accrue
	Return
	Reverse
)

func (k Kind) String() string {
	return [...]string{"authorize", "confirm", "void", "accrue", "return", "reverse"}[k]
}

// Edge sends requests over one of the protocols. Send returns the figures of
// the answer and its exact bytes; an error means that there was no answer and
// the same request must be sent again.
type Edge interface {
	Send(Ask) (Figures, []byte, error)
	Close()
}

// Declined is an answer that says no. The rig asks for nothing that should be
// declined.
type Declined struct{ Code, Detail string }

func (d *Declined) Error() string { return "declined: " + d.Code + ": " + d.Detail }

// Entry is one acknowledged request.
type Entry struct {
	Ask    Ask
	Answer []byte
	Got    Figures
}

// Book is what one worker knows: the acknowledged requests in their order and
// what they make of the member's balance.
type Book struct {
	Card, Member string
	Entries      []Entry
	Available    int64
	Held         int64
	Retries      int // requests that had to be sent more than once
}

// take checks an answer against the balance before it and enters it. owed is
// the change that the figures themselves imply.
func (b *Book) take(a Ask, f Figures, answer []byte, available, held int64) error {
	b.Available += available
	b.Held += held
	if f.Available != b.Available || f.Held != b.Held {
		return fmt.Errorf("%s %s of card %s: the server says available %d, held %d; the book has %d and %d",
			a.Kind, a.Key, b.Card, f.Available, f.Held, b.Available, b.Held)
	}
	b.Entries = append(b.Entries, Entry{Ask: a, Answer: answer, Got: f})
	return nil
}

// Worker sells to one member until it is stopped.
type Worker struct {
	Name string
	Edge Edge
	Book Book

	rng  *rand.Rand
	next int
	stop <-chan struct{}
	wait func() // before a request is sent again
}

// NewWorker makes a worker with a random sequence of its own.
func NewWorker(name, card, member string, edge Edge, seed uint64, stop <-chan struct{}, wait func()) *Worker {
	return &Worker{
		Name: name, Edge: edge, Book: Book{Card: card, Member: member},
		rng: rand.New(rand.NewPCG(seed, 17)), stop: stop, wait: wait,
	}
}

// Run sells until the worker is stopped, always to the end of a sale, and
// returns the first thing that does not add up.
func (w *Worker) Run() error {
	for {
		select {
		case <-w.stop:
			return nil
		default:
		}
		if err := w.sale(); err != nil {
			return fmt.Errorf("worker %s: %w", w.Name, err)
		}
	}
}

// key is the worker's next key: six digits, so that it is a STAN too.
func (w *Worker) key() string {
	w.next++
	return fmt.Sprintf("%06d", w.next)
}

// ask sends a request until it is answered.
func (w *Worker) ask(a Ask) (Figures, []byte, error) {
	a.Member = w.Book.Card
	for tries := 0; ; tries++ {
		f, answer, err := w.Edge.Send(a)
		if err == nil {
			if tries > 0 {
				w.Book.Retries++
			}
			return f, answer, nil
		}
		var no *Declined
		if errors.As(err, &no) || tries > 2000 {
			return f, nil, fmt.Errorf("%s %s brought no approval: %w", a.Kind, a.Key, err)
		}
		w.wait()
	}
}

// sale is one purchase: held, then confirmed, voided or reversed, or earned in
// one step; some are returned, in part or reversed as a whole.
func (w *Worker) sale() error {
	total := int64(1000 + w.rng.IntN(500_000))
	if w.rng.IntN(5) == 0 {
		return w.accrual(total)
	}
	points := max(0, min(w.Book.Available, total/4))
	if w.rng.IntN(3) == 0 {
		points = 0
	}
	a := Ask{Kind: Authorize, Key: w.key(), Total: total, Points: points}
	f, answer, err := w.ask(a)
	if err != nil {
		return err
	}
	if f.Redeemed != points {
		return fmt.Errorf("authorize %s: asked for %d points, got %d", a.Key, points, f.Redeemed)
	}
	if err := w.Book.take(a, f, answer, -points, points); err != nil {
		return err
	}
	switch w.rng.IntN(8) {
	case 0:
		return w.end(Ask{Kind: Void, Key: w.key(), Sale: f.ID}, points, points)
	case 1:
		return w.end(Ask{Kind: Reverse, Key: w.key(), Original: a.Key, Sale: f.ID}, points, points)
	}
	return w.confirm(a, f)
}

func (w *Worker) confirm(a Ask, f Figures) error {
	c := Ask{Kind: Confirm, Key: w.key(), Total: a.Total, Sale: f.ID, Receipt: "R" + a.Key}
	if err := w.end(c, f.Earned, f.Redeemed); err != nil {
		return err
	}
	switch w.rng.IntN(6) {
	case 0:
		return w.giveBack(f)
	case 1: // reversing a confirm undoes the whole sale
		return w.end(Ask{Kind: Reverse, Key: w.key(), Original: c.Key, Sale: f.ID}, f.Redeemed-f.Earned, 0)
	}
	return nil
}

// end sends what ends a hold or sale: available changes by gain, held by
// −freed.
func (w *Worker) end(a Ask, gain, freed int64) error {
	f, answer, err := w.ask(a)
	if err != nil {
		return err
	}
	return w.Book.take(a, f, answer, gain, -freed)
}

// giveBack returns a third of a sale, by its sum in money and points.
func (w *Worker) giveBack(sale Figures) error {
	a := Ask{Kind: Return, Key: w.key(), Sale: sale.ID, Total: (sale.Payable + sale.Redeemed) / 3}
	f, answer, err := w.ask(a)
	if err != nil {
		return err
	}
	if f.Payable+f.Redeemed != a.Total {
		return fmt.Errorf("return %s: %d money and %d points are not the %d asked for", a.Key, f.Payable, f.Redeemed, a.Total)
	}
	return w.Book.take(a, f, answer, f.Redeemed-f.Earned, 0)
}

func (w *Worker) accrual(total int64) error {
	a := Ask{Kind: Accrue, Key: w.key(), Total: total}
	f, answer, err := w.ask(a)
	if err != nil {
		return err
	}
	if f.Earned != total/10 {
		return fmt.Errorf("accrue %s: %d earned of %d", a.Key, f.Earned, total)
	}
	return w.Book.take(a, f, answer, f.Earned, 0)
}

// Package books is the bench's own idea of what the server has booked: one
// entry for each acknowledged operation, and what it has done to its member's
// points. After a run it is held against the ledger's journal and accounts: an
// operation that was acknowledged and is not there, or twice, or a balance that
// differs by a hundredth of a point, makes the run worthless.
//
// It knows nothing of the server's code. A member is a number; the points are
// added and taken as docs/programme.md says.
package books

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// Kind is what an operation did to its hold or sale.
type Kind uint8

// Kinds of operations. Whether a hold was released by a void or by a reversal
// is the same to the books.
const (
	Authorize Kind = iota + 1
	Confirm
	Release
	Accrue
	Return
	kinds
)

var kindNames = [kinds]string{"", "authorize", "confirm", "release", "accrue", "return"}

func (k Kind) String() string { return kindNames[k] }

// ID is a hold or sale as the server's id names it: 12 characters of 5 bits.
type ID uint64

// alphabet is Crockford's base 32, in which ids are written.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

var digit = func() (table [256]int8) {
	for i := range table {
		table[i] = -1
	}
	for i, c := range []byte(alphabet) {
		table[c] = int8(i)
	}
	return table
}()

// IDLength is the length of an id as text.
const IDLength = 12

// ParseID reads an id.
func ParseID(text []byte) (id ID, ok bool) {
	if len(text) != IDLength {
		return 0, false
	}
	for _, c := range text {
		d := digit[c]
		if d < 0 {
			return 0, false
		}
		id = id<<5 | ID(d)
	}
	return id, true
}

// Text writes an id into dst, which has [IDLength] bytes.
func (id ID) Text(dst []byte) {
	for i := IDLength - 1; i >= 0; i-- {
		dst[i] = alphabet[id&31]
		id >>= 5
	}
}

// entry is an operation in one number, so that millions of them are sorted
// and compared in a second: the id's 60 bits and the kind.
type entry uint64

func entryOf(id ID, k Kind) entry { return entry(id)<<4 | entry(k) }

func (e entry) String() string {
	var text [IDLength]byte
	ID(e >> 4).Text(text[:])
	return fmt.Sprintf("%s of %s", Kind(e&15), text)
}

// Book is kept by all connections of a bench.
type Book struct {
	start     int64 // points of every member before the first entry
	available []atomic.Int64
	held      []atomic.Int64

	mu    sync.Mutex
	pages []*Page
}

// New is the book of so many members who have so many points each, in
// hundredths of a point.
func New(members int, points int64) *Book {
	return &Book{start: points, available: make([]atomic.Int64, members), held: make([]atomic.Int64, members)}
}

// Page is the part of a book that one connection writes.
type Page struct {
	book    *Book
	entries []entry
}

// Page opens a page.
func (b *Book) Page() *Page {
	p := &Page{book: b}
	b.mu.Lock()
	b.pages = append(b.pages, p)
	b.mu.Unlock()
	return p
}

// Entry notes an acknowledged operation of a member: what it adds to the
// available and to the held points.
func (p *Page) Entry(id ID, k Kind, member int, available, held int64) {
	p.entries = append(p.entries, entryOf(id, k))
	if available != 0 {
		p.book.available[member].Add(available)
	}
	if held != 0 {
		p.book.held[member].Add(held)
	}
}

// Entries is how many there are. Nobody may be writing.
func (b *Book) Entries() (n int) {
	for _, p := range b.pages {
		n += len(p.entries)
	}
	return n
}

// Ledger tells what a server has booked.
type Ledger interface {
	// Journal calls record for every operation of members in the journal, by
	// the hold or sale that it is about.
	Journal(record func(id ID, k Kind)) error
	// Accounts calls account for every member.
	Accounts(account func(member int, available, held int64)) error
}

// Proof is what a comparison has found.
type Proof struct {
	Entries  int // acknowledged operations, each in the ledger once
	Members  int // whose balances are equal
	Beyond   int // booked without an answer that the bench has seen
	Findings []string
	More     int // findings beyond those that are told
}

// mostFindings is how many are told: the first say what is wrong.
const mostFindings = 10

func (p *Proof) find(format string, args ...any) {
	if len(p.Findings) == mostFindings {
		p.More++
		return
	}
	p.Findings = append(p.Findings, fmt.Sprintf(format, args...))
}

// Prove compares the book with a ledger. Open requests, which were sent and
// not answered, may have been booked, so that with any of them more records
// and other balances are no finding; what was acknowledged must be there.
func (b *Book) Prove(l Ledger, open int) (*Proof, error) {
	p := &Proof{}
	var booked []entry
	if err := l.Journal(func(id ID, k Kind) { booked = append(booked, entryOf(id, k)) }); err != nil {
		return nil, err
	}
	b.compare(p, booked)
	if p.Beyond > open {
		p.find("%d operations are in the ledger that nobody was answered; %d requests had no answer", p.Beyond, open)
	}
	err := l.Accounts(func(member int, available, held int64) {
		if member < 0 || member >= len(b.available) {
			p.find("the ledger has an account that is no member of the bench")
			return
		}
		wantAvailable, wantHeld := b.start+b.available[member].Load(), b.held[member].Load()
		if available == wantAvailable && held == wantHeld {
			p.Members++
			return
		}
		if open == 0 {
			p.find("member %d: the ledger has %d available and %d held, the bench %d and %d", member, available, held, wantAvailable, wantHeld)
		}
	})
	if open == 0 && len(p.Findings) == 0 && p.Members != len(b.available) {
		p.find("the ledger has %d of %d members", p.Members, len(b.available))
	}
	return p, err
}

// compare walks through both sorted lists.
func (b *Book) compare(p *Proof, booked []entry) {
	acked := make([]entry, 0, b.Entries())
	for _, page := range b.pages {
		acked = append(acked, page.entries...)
	}
	slices.Sort(acked)
	slices.Sort(booked)
	i := 0
	for n, e := range acked {
		if n > 0 && e == acked[n-1] {
			p.find("%s was acknowledged twice", e)
			continue
		}
		for i < len(booked) && booked[i] < e {
			p.Beyond++
			i++
		}
		copies := 0
		for i < len(booked) && booked[i] == e {
			copies++
			i++
		}
		if copies != 1 {
			p.find("%s was acknowledged and is in the ledger %d times", e, copies)
			continue
		}
		p.Entries++
	}
	p.Beyond += len(booked) - i
}

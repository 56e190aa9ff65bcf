package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"tillgate/bench/books"
	"tillgate/ledger"
	"tillgate/protocol"
)

// store reaches the ledger's files while no server runs: it makes members
// faster than any edge could, and reads afterwards what was booked. It is here
// and not in bench, to which the server is a black box.
type store struct{}

// open opens the ledger of a server's data directory.
func (store) open(dir string) (*ledger.Ledger, error) {
	return ledger.Open(filepath.Join(dir, "ledger"), ledger.Options{
		AwaitWaker: true, Logger: slog.New(slog.DiscardHandler), LinkCache: -1, HotAccounts: 1000,
	})
}

// Account ids of members are multiples of an odd number, which spreads them as
// evenly as random ids and can be undone by its inverse modulo 2⁶⁴.
const (
	spread   = 0x9e3779b97f4a7c15
	unspread = 0xf1de83e19937733d
)

func accountOf(member int) ledger.AccountID { return ledger.AccountID((uint64(member) + 1) * spread) }
func memberOf(id ledger.AccountID) int      { return int(uint64(id)*unspread) - 1 }

// together is how many members one task makes: enough that the queue costs
// little, few enough that a batch stays small.
const together = 64

// Fill makes a ledger of members who have a card each and points that never
// expire. done is told how many there are so far.
func (s store) Fill(ctx context.Context, dir string, members int, points int64, card func(member int) uint64, done func(int)) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	l, err := s.open(dir)
	if err != nil {
		return err
	}
	defer func() {
		if e := l.Close(); err == nil {
			err = e
		}
	}()
	f := &filler{l: l, points: points, card: card, room: make(chan struct{}, 256), waiting: make([][]int, l.Partitions())}
	for m := range members {
		if m%10_000 == 0 {
			done(int(f.made.Load()))
			if ctx.Err() != nil {
				break
			}
		}
		p := accountOf(m).Partition(l.Partitions())
		if f.waiting[p] = append(f.waiting[p], m); len(f.waiting[p]) == together {
			f.send(p)
		}
	}
	for p := range f.waiting {
		f.send(p)
	}
	f.under.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if f.failed.Load() != nil {
		return fmt.Errorf("making members: %w", *f.failed.Load())
	}
	return nil
}

// filler makes members, some tasks at a time.
type filler struct {
	l       *ledger.Ledger
	points  int64
	card    func(member int) uint64
	room    chan struct{}
	waiting [][]int // members by partition
	under   sync.WaitGroup
	made    atomic.Int64
	failed  atomic.Pointer[error]
}

func (f *filler) send(partition int) {
	members := f.waiting[partition]
	if len(members) == 0 {
		return
	}
	f.waiting[partition] = nil
	f.room <- struct{}{}
	f.under.Add(1)
	if err := f.l.Submit(partition, &fill{f, members}); err != nil {
		f.done(0, err)
	}
}

func (f *filler) done(n int, err error) {
	if err != nil {
		f.failed.CompareAndSwap(nil, &err)
	}
	f.made.Add(int64(n))
	<-f.room
	f.under.Done()
}

// fill is a task that makes some members of one partition.
type fill struct {
	f       *filler
	members []int
}

func (t *fill) Decide(tx *ledger.Tx) error {
	for _, m := range t.members {
		id := accountOf(m)
		// A gift for registering, in one record with it.
		part := ledger.LotPart{Active: tx.Now(), Points: t.f.points}
		enrol := &ledger.Operation{
			Kind: ledger.KindEnrol, Account: id, At: tx.Now(), Registered: true,
			Lots: []ledger.LotPart{part}, Gifts: []ledger.Gift{{Rule: "welcome", Part: part}},
		}
		enrol.Legs[ledger.LegIssued] = -t.f.points
		if _, err := tx.Append(enrol); err != nil {
			return err
		}
		number := strconv.FormatUint(t.f.card(m), 10)
		link := ledger.Link{Account: id, Kind: uint8(protocol.ByCard), State: ledger.CardActive, Last4: number[len(number)-4:]}
		if err := tx.PutLink(t.f.l.Hash("id", "", "card", number), link); err != nil {
			return err
		}
	}
	return nil
}

func (t *fill) Done(err error) { t.f.done(len(t.members), err) }

// Read opens the ledger of a stopped server for [books.Book.Prove].
func (s store) Read(dir string, use func(books.Ledger) error) error {
	l, err := s.open(dir)
	if err != nil {
		return err
	}
	err = use(booked{l})
	if e := l.Close(); err == nil {
		err = e
	}
	return err
}

// booked is a ledger as the bench's books are compared with.
type booked struct{ l *ledger.Ledger }

// bookKinds are the operations that the bench asks for. Others are the
// members' own, or sealed windows.
var bookKinds = map[ledger.Kind]books.Kind{
	ledger.KindAuthorize: books.Authorize,
	ledger.KindConfirm:   books.Confirm,
	ledger.KindVoid:      books.Release,
	ledger.KindReverse:   books.Release,
	ledger.KindAccrue:    books.Accrue,
	ledger.KindReturn:    books.Return,
}

func (b booked) Journal(record func(books.ID, books.Kind)) error {
	var op ledger.Operation
	for p := range b.l.Partitions() {
		var bad error
		err := b.l.Journal(p, b.l.First(p), func(id ledger.OpID, rec []byte) bool {
			if bad = ledger.DecodeOperation(rec, &op); bad != nil {
				return false
			}
			kind, ok := bookKinds[op.Kind]
			if !ok || !protocol.Code(op.Code).OK() {
				return true
			}
			if op.Parent != 0 {
				id = op.Parent
			}
			record(books.ID(id), kind)
			return true
		})
		if err == nil {
			err = bad
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b booked) Accounts(account func(member int, available, held int64)) error {
	for p := range b.l.Partitions() {
		var ids []ledger.AccountID
		err := b.l.Accounts(p, func(id ledger.AccountID) bool {
			ids = append(ids, id)
			return true
		})
		if err != nil {
			return err
		}
		for _, id := range ids {
			a, err := b.l.Account(id)
			if err != nil {
				return err
			}
			balance := a.Balance()
			account(memberOf(id), balance.Available+balance.Deficit, balance.Held)
		}
	}
	return nil
}

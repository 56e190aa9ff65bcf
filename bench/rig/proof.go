package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Repeat sends every acknowledged request of a worker once more. Each answer
// must be the same bytes as the first: that proves that the request is booked,
// and once.
func (w *Worker) Repeat() error {
	for i := range w.Book.Entries {
		e := &w.Book.Entries[i]
		_, answer, err := w.ask(e.Ask)
		if err != nil {
			return err
		}
		if !bytes.Equal(answer, e.Answer) {
			return fmt.Errorf("worker %s: a repeat of %s %s brings another answer:\n%q\n%q",
				w.Name, e.Ask.Kind, e.Ask.Key, e.Answer, answer)
		}
	}
	return nil
}

// booked is the kind of record that a request of a kind leaves: undoing a hold
// is one thing, whether it is asked for as a void or as a reversal.
func booked(kind string) string {
	if kind == Void.String() {
		return Reverse.String()
	}
	return kind
}

// Balance checks the member's balance in the ledger against the book.
func (b *Book) Balance(shop *Shop) error {
	status, body, err := shop.Get("/v1/members/" + b.Member + "/balance")
	if err != nil {
		return fmt.Errorf("balance of %s: %w", b.Member, err)
	}
	if status != 200 {
		return fmt.Errorf("balance of %s: status %d: %s", b.Member, status, body)
	}
	var got struct{ Available, Held, Deficit int64 }
	if err := json.Unmarshal(body, &got); err != nil {
		return err
	}
	if got.Available-got.Deficit != b.Available || got.Held != b.Held {
		return fmt.Errorf("member %s: the ledger has %d available and %d held, the book %d and %d",
			b.Member, got.Available-got.Deficit, got.Held, b.Available, b.Held)
	}
	return nil
}

// History checks that the member's history tells as many bookings of each
// kind as the book: nothing lost, nothing twice.
func (b *Book) History(shop *Shop) error {
	want := map[string]int{}
	for i := range b.Entries {
		want[booked(b.Entries[i].Ask.Kind.String())]++
	}
	got := map[string]int{}
	for path := "/v1/members/" + b.Member + "/operations?limit=200"; path != ""; {
		status, body, err := shop.Get(path)
		if err != nil {
			return fmt.Errorf("history of %s: %w", b.Member, err)
		}
		if status != 200 {
			return fmt.Errorf("history of %s: status %d: %s", b.Member, status, body)
		}
		var page struct {
			Operations []struct{ ID, Kind string }
			Next       *string
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return err
		}
		for _, op := range page.Operations {
			got[booked(op.Kind)]++
		}
		path = ""
		if page.Next != nil {
			path = "/v1/members/" + b.Member + "/operations?limit=200&cursor=" + *page.Next
		}
	}
	for kind, n := range want {
		if got[kind] != n {
			return fmt.Errorf("member %s: the history has %d of %s, the book %d", b.Member, got[kind], kind, n)
		}
	}
	return nil
}

// Project waits until PostgreSQL has what the books have, and compares: as
// many records of each kind for each member, and the newest balance.
func Project(ctx context.Context, dsn string, books []*Book) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // reading is over
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var differs error
		for _, b := range books {
			if differs = b.projected(ctx, conn); differs != nil {
				break
			}
		}
		if differs == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not become what the books say: %w", differs)
		case <-tick.C:
		}
	}
}

func (b *Book) projected(ctx context.Context, conn *pgx.Conn) error {
	want := map[string]int{}
	for i := range b.Entries {
		want[booked(b.Entries[i].Ask.Kind.String())]++
	}
	rows, err := conn.Query(ctx, `SELECT kind, count(*), count(DISTINCT id) FROM tillgate.operations WHERE account = $1 GROUP BY kind`, b.Member)
	if err != nil {
		return err
	}
	got := map[string]int{}
	var kind string
	var n, distinct int
	_, err = pgx.ForEachRow(rows, []any{&kind, &n, &distinct}, func() error {
		if n != distinct {
			return fmt.Errorf("member %s: %d rows of %d operations %s", b.Member, n, distinct, kind)
		}
		got[booked(kind)] += n
		return nil
	})
	if err != nil {
		return err
	}
	for kind, n := range want {
		if got[kind] != n {
			return fmt.Errorf("member %s: PostgreSQL has %d of %s, the book %d", b.Member, got[kind], kind, n)
		}
	}
	var available, held int64
	err = conn.QueryRow(ctx, `SELECT after_available + after_deficit, after_held FROM tillgate.operations
		WHERE account = $1 ORDER BY id DESC LIMIT 1`, b.Member).Scan(&available, &held)
	if err != nil {
		return err
	}
	if available != b.Available || held != b.Held {
		return fmt.Errorf("member %s: PostgreSQL has %d available and %d held, the book %d and %d",
			b.Member, available, held, b.Available, b.Held)
	}
	var legs int64
	err = conn.QueryRow(ctx, `SELECT sum(leg_available + leg_deficit) FROM tillgate.operations WHERE account = $1`, b.Member).Scan(&legs)
	if err == nil && legs != b.Available {
		err = fmt.Errorf("member %s: the legs in PostgreSQL add up to %d, the book has %d", b.Member, legs, b.Available)
	}
	return err
}

package simulate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"tillgate/ledger"
	"tillgate/protocol"
	"tillgate/reconciler/project"
	"tillgate/reconciler/stream"
)

// patience is the virtual time within which everything must have settled when
// nothing goes wrong any more.
const patience = 30 * time.Minute

// finish lets everything come to rest and proves what must hold then.
func (w *world) finish() error {
	w.brokers.down.Store(false)
	w.brokers.lossy.Store(false)
	w.brokers.slow.Store(0)
	w.stuck.Store(0)
	w.disk.slow.Store(0)
	if f := w.disk.fault.Load(); f != nil || w.server.dead.Load() {
		w.server.dead.Store(true) // whoever finds a bad disk changes it
		if err := w.kill(draw(1, 1), 0); err != nil {
			return err
		}
	}
	for _, check := range []func() error{w.everyTillIsAnswered, w.arrived, w.answersComeAgain, w.books, w.members, w.stream, w.rows} {
		if err := check(); err != nil {
			return err
		}
	}
	if err := w.stop(); err != nil {
		return err
	}
	return nil
}

// everyTillIsAnswered sends again what has not been answered.
func (w *world) everyTillIsAnswered() error {
	for _, t := range w.tills {
		for range 100 {
			if err := t.listen(w); err != nil {
				return err
			}
			if t.now == nil {
				break
			}
			t.send(w)
			time.Sleep(time.Second)
		}
		if t.now != nil {
			return fmt.Errorf("%s is not answered: %s %s", t.name, t.now.r.Call, t.now.r.Key)
		}
	}
	return nil
}

// arrived waits until nothing is on its way between accounts.
func (w *world) arrived() error {
	for range 100 {
		proof, err := w.server.ledger.Verify(func(ledger.Finding) {})
		if err != nil || proof.Transit == 0 {
			return err
		}
		time.Sleep(time.Second)
	}
	return errors.New("transfers are still on their way")
}

// answersComeAgain asks everything again: the same bytes, nothing booked.
func (w *world) answersComeAgain() error {
	for _, s := range w.book.final {
		if s.res.Code == protocol.IdempotencyConflict || !s.res.Code.Remembered() {
			continue
		}
		res, err := w.office(s.r)
		if err != nil {
			return err
		}
		if text := string(protocol.AppendJSON(nil, res)); !res.Replayed || text != s.answer {
			return fmt.Errorf("%s %s was told and is another:\n%s\n%s", s.r.Call, s.r.Key, s.answer, text)
		}
	}
	return nil
}

// books proves the ledger, and that no key was booked twice.
func (w *world) books() error {
	var found []error
	if _, err := w.server.ledger.Verify(func(f ledger.Finding) { found = append(found, errors.New(f.String())) }); err != nil {
		return err
	}
	seen := map[ledger.Key]ledger.OpID{}
	for p := range partitions {
		var op ledger.Operation
		var bad error
		if err := w.server.ledger.Journal(p, 1, func(id ledger.OpID, rec []byte) bool {
			op = ledger.Operation{}
			bad = ledger.DecodeOperation(rec, &op)
			for _, d := range op.Dups {
				if d.Entry.Mark {
					continue
				}
				if was, ok := seen[d.Key]; ok {
					found = append(found, fmt.Errorf("%s and %s were booked under one key", was, id))
				}
				seen[d.Key] = id
			}
			return bad == nil
		}); err != nil || bad != nil {
			return errors.Join(err, bad)
		}
	}
	return errors.Join(found...)
}

// members holds what the answers said against the accounts.
func (w *world) members() error {
	if err := w.server.ledger.WaitSynced(); err != nil {
		return err
	}
	for _, p := range w.people {
		a, err := w.server.ledger.Account(p.id)
		if err != nil {
			return err
		}
		b := a.Balance()
		if b.Available < 0 || b.Pending < 0 || b.Held < 0 || b.Deficit > 0 {
			return fmt.Errorf("%s has %+v", p.card, b)
		}
		if owns := b.Available + b.Pending + b.Held + b.Deficit; owns != p.owned && !p.host {
			return fmt.Errorf("%s owns %d points by the answers and %d by the books", p.card, p.owned, owns)
		}
	}
	return nil
}

// stream waits until all is published, and holds the topic against the journal:
// repeats are allowed, holes and others' bytes are not.
func (w *world) stream() error {
	l := w.server.ledger
	for end := time.Now().Add(patience); ; time.Sleep(time.Second) {
		if w.server.publisher.Lag() == 0 && w.server.publisher.Trouble() == nil {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d records are not published: %w", w.server.publisher.Lag(), w.server.publisher.Trouble())
		}
	}
	for p := range partitions {
		next := uint64(1)
		for _, m := range w.brokers.history(journalTopic, p) {
			e, err := stream.ParseEnvelope(func(name string) string {
				for _, h := range m.headers {
					if h.Key == name {
						return string(h.Value)
					}
				}
				return ""
			})
			if err != nil {
				return err
			}
			if e.ID.Sequence() > next {
				return fmt.Errorf("the stream of partition %d has no record %d", p, next)
			}
			next = max(next, e.ID.Sequence()+1)
			if err := l.Journal(p, e.ID.Sequence(), func(_ ledger.OpID, rec []byte) bool {
				if !bytes.Equal(rec, m.value) {
					err = fmt.Errorf("the stream's record %s is another than the journal's", e.ID)
				}
				return false
			}); err != nil {
				return err
			}
			if err != nil {
				return err
			}
		}
		if synced := l.Synced(p); next != synced+1 {
			return fmt.Errorf("the stream of partition %d ends before %d, the journal is at %d", p, next, synced)
		}
	}
	return nil
}

// rows waits for the projection and holds its rows against those of another
// one, which reads the journal itself and in peace. The journal may grow
// meanwhile by what falls due: then both are looked at again.
func (w *world) rows() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		want, marks, err := w.inPeace(ctx)
		if err != nil {
			return err
		}
		if err := w.server.projector.Wait(ctx, marks); err != nil {
			return fmt.Errorf("the projection does not catch up: %w: %w", err, w.server.projector.Trouble())
		}
		same := true
		for p := range marks {
			same = same && w.memory.Position(p) == marks[p]
		}
		if same {
			return sameRows(w.memory.Rows(), want.Rows())
		}
	}
}

// inPeace projects the journal anew, and tells how far it went.
func (w *world) inPeace(ctx context.Context) (*project.Memory, []uint64, error) {
	marks := make([]uint64, partitions)
	for p := range marks {
		marks[p] = w.server.ledger.Synced(p)
	}
	want := project.NewMemory(partitions)
	other := w.projection(w.server, want, &project.JournalSource{Ledger: w.server.ledger})
	run, end := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); other.Run(run) }()
	err := other.Wait(ctx, marks)
	end()
	<-ended
	for p := range marks {
		marks[p] = want.Position(p)
	}
	return want, marks, err
}

func sameRows(have, should map[string][][]byte) error {
	for table, rows := range should {
		if len(have[table]) != len(rows) {
			return fmt.Errorf("%s has %d rows, the journal gives %d", table, len(have[table]), len(rows))
		}
		for i := range rows {
			if !bytes.Equal(rows[i], have[table][i]) {
				return fmt.Errorf("a row of %s is another than the journal's", table)
			}
		}
	}
	return nil
}

package processor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"tillgate/ledger"
	"tillgate/processor/program"
)

// A programme whose events have dates is published when there are members
// already. A walk over the merchant's accounts gives each its date: partition
// by partition, a few accounts to a task, the next when those are on disk, so
// that tills hardly notice. How far it has come is noted for each partition; a
// walk that was cut short goes on at the next start. It looks from the moment
// at which the version came into force: what has fallen due since then is given
// when it comes by.

const (
	// walkPiece is how many accounts one task of a walk touches.
	walkPiece = 32
	// walkPause is how long a walk waits when a shard's queue is full.
	walkPause = 50 * time.Millisecond
)

// walks runs the walks of a switch, one at a time.
type walks struct {
	want chan struct{}
	end  context.CancelFunc
	gone chan struct{}
	once sync.Once
}

func (w *walks) start(s *Switch) {
	ctx, cancel := context.WithCancel(context.Background())
	w.want, w.end, w.gone = make(chan struct{}, 1), cancel, make(chan struct{})
	w.wanted()
	go func() {
		defer close(w.gone)
		for {
			select {
			case <-ctx.Done():
				return
			case <-w.want:
				if err := s.walkAll(ctx); err != nil && ctx.Err() == nil {
					s.o.Logger.Error("the dates of events can't be set; it is tried again after the next publication or start", "cause", err)
				}
			}
		}
	}()
}

// wanted asks for a look at what is to be walked.
func (w *walks) wanted() {
	select {
	case w.want <- struct{}{}:
	default: // somebody has asked
	}
}

func (w *walks) stop() { w.once.Do(w.end) }

// wait returns when no walk runs any more.
func (w *walks) wait(ctx context.Context) error {
	select {
	case <-w.gone:
		return nil
	case <-ctx.Done():
		return ErrBusy
	}
}

// walkAll walks for every version with dated events that has not been walked
// for and may still come into force.
func (s *Switch) walkAll(ctx context.Context) error {
	for _, merchant := range s.programs.merchants() {
		all := s.programs.published(merchant).All()
		for i := len(all) - 1; i >= 0; i-- {
			v := &all[i]
			if v.Program.Dated() {
				if err := s.walk(ctx, merchant, v); err != nil {
					return err
				}
			}
			if v.From() <= s.o.Clock() {
				break
			}
		}
	}
	return nil
}

// walk gives the accounts of a merchant their dates under a version.
func (s *Switch) walk(ctx context.Context, merchant string, v *program.Version) error {
	name := fmt.Sprintf("program/%s/%d/dated", merchant, v.Number)
	noted, err := s.ledger.Meta(name)
	if err != nil {
		return err
	}
	next := 0
	if len(noted) == 4 {
		next = int(binary.BigEndian.Uint32(noted))
	}
	after := max(v.From(), v.Published) - 1
	for p := next; p < s.partitions; p++ {
		if err := s.walkPartition(ctx, merchant, p, after); err != nil {
			return err
		}
		if err := s.ledger.PutMeta(name, binary.BigEndian.AppendUint32(nil, uint32(p+1))); err != nil {
			return err
		}
	}
	return nil
}

func (s *Switch) walkPartition(ctx context.Context, merchant string, partition int, after int64) error {
	var ids []ledger.AccountID
	if err := s.ledger.Accounts(partition, func(id ledger.AccountID) bool {
		ids = append(ids, id)
		return true
	}); err != nil {
		return err
	}
	var piece []ledger.AccountID
	for i, id := range ids {
		needs, err := s.lacksDate(merchant, id, after)
		if err != nil {
			return err
		}
		if needs {
			piece = append(piece, id)
		}
		if len(piece) == walkPiece || len(piece) > 0 && i == len(ids)-1 {
			if err := s.walkTask(ctx, partition, &datesTask{s: s, after: after, ids: piece}); err != nil {
				return err
			}
			piece = piece[:0]
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// lacksDate looks at what is stored of an account, beside the event loops,
// whether its date is to be set. Most have theirs.
func (s *Switch) lacksDate(merchant string, id ledger.AccountID, after int64) (bool, error) {
	a, err := s.ledger.Account(id)
	if err != nil || a == nil || a.Merchant != merchant {
		return false, err
	}
	plain, err := s.ledger.Profile(id)
	if err != nil {
		return false, err
	}
	p, err := decodeProfile(plain)
	if err != nil {
		return false, err
	}
	return s.earlier(a, p.person(), after) != 0, nil
}

// earlier is the date that an account is to have: 0 if it has that or an
// earlier one.
func (s *Switch) earlier(a *ledger.Account, p *person, after int64) int64 {
	if a.Erased || a.Into != 0 {
		return 0
	}
	f := program.Facts{}
	tellSums(&f, a)
	p.tell(&f)
	next := s.nextWake(a.Merchant, &f, after)
	if next == ledger.WakeNever || a.Wake != 0 && a.Wake <= next {
		return 0
	}
	return next
}

// walkTask runs a task, and tries again where the shard has no room for it.
func (s *Switch) walkTask(ctx context.Context, partition int, task *datesTask) error {
	for {
		task.done = make(chan error, 1)
		err := s.ledger.Submit(partition, task)
		if err == nil {
			err = <-task.done
		}
		if !errors.Is(err, ledger.ErrOverloaded) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(walkPause):
		}
	}
}

// datesTask sets the dates of some accounts of a partition.
type datesTask struct {
	s     *Switch
	after int64
	ids   []ledger.AccountID
	done  chan error
}

func (d *datesTask) Decide(tx *ledger.Tx) error {
	for _, id := range d.ids {
		a, err := tx.Account(id)
		if err != nil || a == nil {
			return err
		}
		p, err := personOf(tx, id)
		if err != nil {
			return err
		}
		next := d.s.earlier(a, p, d.after)
		if next != 0 && next <= tx.Now() {
			after, err := since(tx, a, d.after)
			if err != nil {
				return err
			}
			next = d.s.earlier(a, p, after)
		}
		if next == 0 {
			continue
		}
		op := ledger.Operation{
			Kind: ledger.KindEvent, Render: renderVersion, Account: id, Merchant: a.Merchant,
			At: tx.Now(), Status: statusScheduled, Wake: next,
		}
		if _, err := tx.Append(&op); err != nil {
			return err
		}
	}
	return nil
}

// since is the moment from which an account's dates count: the last one after a
// publication at which the member has told of a birthday, or that publication's
// own. Who has come since, or has told another birthday, has the dates of the
// new version already, and nothing of what was due before.
func since(tx *ledger.Tx, a *ledger.Account, published int64) (int64, error) {
	var op ledger.Operation
	for id, n := a.Last, 0; id != 0 && n < maxWalk && id.Partition() == tx.Partition(); id, n = op.Prev, n+1 {
		found, err := tx.Operation(id, &op)
		if err != nil || !found || op.Time <= published {
			return published, err
		}
		switch op.Kind {
		case ledger.KindEnrol, ledger.KindRegister, ledger.KindProfile:
			return op.Time, nil
		}
	}
	return published, nil
}

func (d *datesTask) Done(err error) { d.done <- err }

package ledger

import (
	"errors"
	"fmt"
	"time"
)

// Transfers between accounts. The operation that sends points puts each
// transfer beside itself, in its own batch. The courier takes those whose
// operation is synced, in order, to the partition of the account they go to;
// there they are booked as KindPostIn together with a watermark: the newest
// transfer of that source partition that was booked. When that is synced the
// courier deletes them at the source. After a crash some are delivered again,
// and the watermark says that they are known. Between two partitions one
// delivery is under way at a time, so that the watermark never passes over a
// transfer that was not booked.

// letterBatch bounds the transfers that are taken from one source partition
// in a round.
const letterBatch = 256

// letter is a transfer on its way.
type letter struct {
	op       OpID
	index    uint16
	transfer Transfer
}

// parcel is what goes from one partition to another in a round.
type parcel struct {
	source, target int
	letters        []letter
	booked         uint64
	lost           uint64
	done           chan error
}

func (l *Ledger) wakeCourier() {
	select {
	case l.couriers <- struct{}{}:
	default:
	}
}

// deliver is the courier.
func (l *Ledger) deliver() {
	defer l.helpers.Done()
	retry := time.NewTicker(l.o.SweepEvery)
	defer retry.Stop()
	for {
		more, err := l.deliverRound()
		if err != nil && !errors.Is(err, ErrOverloaded) && !errors.Is(err, ErrClosed) {
			l.o.Logger.Error("transfers cannot be delivered; they are tried again", "error", err)
		}
		if more && err == nil {
			continue
		}
		select {
		case <-l.stop:
			return
		case <-l.dead:
			return
		case <-l.couriers:
		case <-retry.C:
		}
	}
}

// deliverRound delivers once what is waiting, and reports whether there is
// more.
func (l *Ledger) deliverRound() (more bool, err error) {
	var under []*parcel
	for _, p := range l.parts {
		if l.Err() != nil {
			err = ErrClosed // what is under way is waited for
			break
		}
		if !l.awake() || !p.letters.Swap(false) {
			continue
		}
		parcels, full, e := l.collect(p)
		if e == nil {
			e = l.hand(parcels, &under)
		}
		if full || e != nil {
			p.letters.Store(true)
		}
		more, err = more || full, errors.Join(err, e)
	}
	for _, parcel := range under {
		select {
		case e := <-parcel.done:
			if e == nil {
				e = l.forget(parcel)
			}
			if e != nil {
				l.parts[parcel.source].letters.Store(true)
				err = errors.Join(err, e)
			}
		case <-l.dead:
			return false, ErrClosed
		}
	}
	return more, err
}

// collect takes the oldest transfers of a partition whose operation is synced,
// one parcel for each partition that they go to.
func (l *Ledger) collect(p *partition) (parcels map[int]*parcel, full bool, err error) {
	synced, n := p.synced.Load(), 0
	parcels = map[int]*parcel{}
	err = scan(l.db, appendPartition(nil, spaceTransfer, p.id), func(key, rec []byte) (bool, error) {
		le := letter{op: NewOpID(p.id, trailing(key[:11])), index: uint16(key[11])<<8 | uint16(key[12])}
		if le.op.Sequence() > synced {
			return false, nil // its sync wakes the courier
		}
		if n == letterBatch {
			full = true
			return false, nil
		}
		n++
		if err := decodeTransfer(rec, &le.transfer); err != nil {
			return false, fmt.Errorf("transfer %d of %s: %w", le.index, le.op, err)
		}
		target := le.transfer.To.Partition(len(l.parts))
		if parcels[target] == nil {
			parcels[target] = &parcel{source: p.id, target: target, done: make(chan error, 1)}
		}
		parcels[target].letters = append(parcels[target].letters, le)
		return true, nil
	})
	return parcels, full, err
}

// hand gives parcels to the shards they go to.
func (l *Ledger) hand(parcels map[int]*parcel, under *[]*parcel) (err error) {
	for target, parcel := range parcels {
		if e := l.Submit(target, parcel); e != nil {
			err = e
			continue
		}
		*under = append(*under, parcel)
	}
	return err
}

// forget deletes transfers that are booked. Without a sync: what comes back
// after a crash is known to the watermark.
func (l *Ledger) forget(p *parcel) error {
	l.stats.delivered.Add(p.booked)
	l.stats.undeliverable.Add(p.lost)
	b := l.db.NewBatch()
	for i := range p.letters {
		if err := b.Delete(transferKey(nil, p.letters[i].op, p.letters[i].index), nil); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	return l.note(b)
}

// Decide books the transfers that are not known yet.
func (p *parcel) Decide(tx *Tx) error {
	s := tx.s
	key := watermarkKey(make([]byte, 0, 5), p.target, p.source) // not the room that others use
	var known watermark
	rec, ok, err := s.get(key)
	if err != nil {
		return err
	}
	if ok {
		if err := decodeWatermark(rec, &known); err != nil {
			return err
		}
	}
	p.booked, p.lost = 0, 0
	for i := range p.letters {
		le := &p.letters[i]
		if le.op < known.op || le.op == known.op && le.index <= known.index {
			continue
		}
		if err := p.book(tx, le); err != nil {
			return fmt.Errorf("transfer %d of %s: %w", le.index, le.op, err)
		}
		known = watermark{le.op, le.index}
	}
	if p.booked+p.lost > 0 {
		s.buf = appendWatermark(s.buf[:0], &known)
		s.set(key, s.buf)
	}
	return nil
}

// book records one transfer. What cannot be booked is parked: its points stay
// in transit until the office has decided, and it holds up none behind it.
func (p *parcel) book(tx *Tx, le *letter) error {
	h, err := tx.recipient(le.transfer.To)
	if err != nil {
		return err
	}
	if h == nil {
		return p.park(tx, le, "the account of an incoming transfer does not exist")
	}
	op := le.operation(tx, KindPostIn)
	op.Status, op.Account, op.Merchant = "booked", h.ID, h.Merchant
	postIn(&h.Account, &le.transfer, op)
	if err := tx.arriveAt(&h.Account, &le.transfer, op); err != nil {
		return err
	}
	var refused *RefusedError
	switch _, err := tx.append(op); {
	case err == nil:
		p.booked++
		return nil
	case errors.As(err, &refused):
		return p.park(tx, le, "an incoming transfer was refused: "+refused.Why)
	default:
		return err
	}
}

func (le *letter) operation(tx *Tx, kind Kind) *Operation {
	op := &tx.s.owed
	resetOperation(op)
	op.Kind, op.Source, op.SourceIndex, op.At, op.Time = kind, le.op, le.index, tx.now, tx.now
	return op
}

func (p *parcel) park(tx *Tx, le *letter, why string) error {
	var sent Operation
	key := journalKey(make([]byte, 0, maxKey), le.op)
	if _, err := load(tx.s.l.db, key, func(rec []byte) error { return DecodeOperation(rec, &sent) }); err != nil {
		return err
	}
	op := le.operation(tx, KindPark)
	op.Merchant = sent.Merchant // whose office decides
	op.Points = sum(le.transfer.Parts)
	op.Status, op.Detail = SaleParked.String(), why
	p.lost++
	_, err := tx.append(op)
	return err
}

// Done tells the courier that the parcel is booked and synced.
func (p *parcel) Done(err error) { p.done <- err }

package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2"
)

// Finding is one thing that should not be: books that contradict each other.
type Finding struct {
	Partition int
	Op        OpID      // 0 if it is about none
	Account   AccountID // 0 if it is about none
	What      string
}

func (f Finding) String() string {
	s := fmt.Sprintf("partition %d", f.Partition)
	if f.Op != 0 {
		s += ", operation " + f.Op.String()
	}
	if f.Account != 0 {
		s += ", account " + f.Account.String()
	}
	return s + ": " + f.What
}

// Proof is what a verification has looked at. Balances are Σ over accounts,
// Legs Σ over the journal; they agree if there are no findings.
type Proof struct {
	Records, Windows, Accounts, Sales, Holds uint64
	Transit                                  uint64 // transfers on their way
	Audited                                  uint64 // records of the audit
	AuditHead                                Key    // the hash of the newest of them
	// Dropped are records that are older than the retention, and BySums the
	// accounts that had some of them: what is kept of those is checked record by
	// record against their balances, and not replayed into the same bytes.
	Dropped, BySums uint64
	Findings        uint64
	Balances        Balance
	Legs            [LegCount]int64
}

// Verify proves the invariants of the books over the store in a data
// directory that nobody has open. See [Ledger.Verify].
func Verify(dir string, options Options, found func(Finding)) (Proof, error) {
	o, err := options.withDefaults()
	if err != nil {
		return Proof{}, err
	}
	if _, err := o.FS.Stat(o.FS.PathJoin(dir, storeName)); errors.Is(err, fs.ErrNotExist) {
		return Proof{}, fmt.Errorf("ledger: there is no store in %s", dir)
	}
	l, err := openStore(dir, o, true)
	if err != nil {
		return Proof{}, err
	}
	proof, err := l.verify(l.db, found)
	return proof, errors.Join(err, l.db.Close())
}

// Verify proves the invariants of the books at one moment while the ledger
// serves. It replays the journal into fresh state, partition by partition,
// and tells found whatever differs:
//
//   - the journal has every sequence, ids and times in order, each account's
//     records chained; Σ legs = 0; each account leg is the balance's change;
//   - what fell due was recorded at its date before anything later;
//   - captured + released = held; returns ≤ sale;
//   - accounts and sales have the same bytes as after the replay, Σ lots and
//     pins are the balances, no available balance is negative;
//   - windows chain: their bounds, sums and hashes are those of the records;
//   - the audit is chained from its first record to its head;
//   - transfers are on their way or booked once; duplicates, receipts,
//     shifts, parked messages, due index and watermarks are the journal's.
//
// Where records were dropped, the journal goes on from what its base says of
// them: the windows chain from its hash, Σ of the balances is its sums and
// those of the kept records. Accounts whose whole history is kept are replayed
// as ever; of the others each record is held to the balances before and after
// it, and the last one to the account ([Proof].BySums). Shared counters are not
// added up there.
//
// It needs the memory of one partition's accounts and sales. The error is
// about reading, not about the books.
func (l *Ledger) Verify(found func(Finding)) (Proof, error) {
	if err := l.Err(); err != nil {
		return Proof{}, err
	}
	snapshot := l.db.NewSnapshot()
	proof, err := l.verify(snapshot, found)
	return proof, errors.Join(err, snapshot.Close())
}

// verifier replays partitions.
type verifier struct {
	l     *Ledger
	db    pebble.Reader
	found func(Finding)
	proof Proof

	// Transfers that were sent and not yet seen to arrive, and the other way
	// round: partitions are read one after the other.
	sent    map[letterID]int // to which partition
	arrived map[letterID]bool
	bases   []base

	part *replay
}

type letterID struct {
	op    OpID
	index uint16
}

func (l *Ledger) verify(db pebble.Reader, found func(Finding)) (Proof, error) {
	v := &verifier{l: l, db: db, found: found, sent: map[letterID]int{}, arrived: map[letterID]bool{}}
	for p := range l.parts {
		b, err := readBase(db, p)
		if err != nil {
			return v.proof, err
		}
		v.bases = append(v.bases, b)
	}
	for p := range l.parts {
		if err := v.partition(p); err != nil {
			return v.proof, err
		}
	}
	for id, to := range v.sent {
		if booked, err := v.bookedBefore(to, id); err != nil {
			return v.proof, err
		} else if booked {
			continue
		}
		v.report(Finding{Partition: id.op.Partition(), Op: id.op, What: "a transfer is neither on its way nor booked"})
	}
	for id := range v.arrived {
		v.report(Finding{Partition: id.op.Partition(), Op: id.op, What: "a transfer was booked that was never sent"})
	}
	v.totals()
	return v.proof, v.globals()
}

func (v *verifier) report(f Finding) {
	v.proof.Findings++
	v.found(f)
}

func (v *verifier) totals() {
	b, legs := v.proof.Balances, v.proof.Legs
	if b.Available != legs[LegAvailable] || b.Pending != legs[LegPending] || b.Held != legs[LegHeld] || b.Deficit != legs[LegDeficit] {
		v.report(Finding{What: fmt.Sprintf("the accounts hold %+v, the journal says %v", b, legs[:LegIssued])})
	}
	var total int64
	for _, leg := range legs {
		total += leg
	}
	if total != 0 {
		v.report(Finding{What: fmt.Sprintf("debits and credits differ by %d", total)})
	}
}

// partition replays one partition and compares what is stored of it.
func (v *verifier) partition(p int) error {
	v.part = newReplay(p, &v.bases[p])
	v.proof.Dropped += v.bases[p].first - 1
	for i, leg := range v.bases[p].legs {
		v.proof.Legs[i] += leg
	}
	if err := v.journal(p); err != nil {
		return err
	}
	for _, compare := range []func(int) error{
		v.accounts, v.sales, v.dueIndex, v.parked, v.transit, v.watermarks, v.shared,
	} {
		if err := compare(p); err != nil {
			return err
		}
	}
	return nil
}

// compare reads a range of the store and compares it with what it should be:
// want maps keys to values, and ends empty.
func (v *verifier) compare(p int, lower, upper []byte, want map[string][]byte, what string) error {
	it, err := v.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return errors.Join(err, it.Close())
		}
		should, known := want[string(it.Key())]
		switch {
		case !known:
			v.report(Finding{Partition: p, What: fmt.Sprintf("%s %x is stored and follows from no record", what, it.Key())})
		case !bytes.Equal(should, value):
			v.report(Finding{Partition: p, What: fmt.Sprintf("%s %x differs from what the journal says", what, it.Key())})
		}
		delete(want, string(it.Key()))
	}
	for key := range want {
		v.report(Finding{Partition: p, What: fmt.Sprintf("%s %x is missing", what, key)})
	}
	return errors.Join(it.Error(), it.Close())
}

func (v *verifier) compareSpace(p int, space byte, want map[string][]byte, what string) error {
	lower := appendPartition(nil, space, p)
	return v.compare(p, lower, after(lower), want, what)
}

func (v *verifier) accounts(p int) error {
	r := v.part
	want := make(map[string][]byte, len(r.accounts))
	for id, a := range r.accounts {
		want[string(accountKey(nil, p, id))] = appendAccount(nil, a)
	}
	if err := v.accountsBySums(want); err != nil {
		return err
	}
	for id, a := range r.accounts {
		v.proof.Accounts++
		v.proof.Holds += uint64(len(a.Holds))
		b := a.Balance()
		v.proof.Balances.Available += b.Available
		v.proof.Balances.Pending += b.Pending
		v.proof.Balances.Held += b.Held
		v.proof.Balances.Deficit += b.Deficit
		if b.Available < 0 || b.Pending < 0 || b.Held < 0 || b.Deficit > 0 {
			v.report(Finding{Partition: p, Account: id, What: fmt.Sprintf("its balance is %+v", b)})
		}
	}
	return v.compareSpace(p, spaceAccount, want, "account")
}

func (v *verifier) sales(p int) error {
	want := make(map[string][]byte, len(v.part.sales))
	for id, rec := range v.part.sales {
		if id.Sequence() < v.part.base.sales {
			continue // it is older than the retention
		}
		want[string(saleKey(nil, id))] = rec
		v.proof.Sales++
	}
	return v.compareSpace(p, spaceSale, want, "sale")
}

func (v *verifier) dueIndex(p int) error {
	want := map[string][]byte{}
	for id, a := range v.part.accounts {
		if a.Scheduled != 0 {
			want[string(dueKey(nil, p, a.Scheduled, id))] = nil
		}
	}
	return v.compareSpace(p, spaceDue, want, "due entry")
}

func (v *verifier) parked(p int) error {
	want := map[string][]byte{}
	for id, rec := range v.part.parked {
		want[string(parkedKey(nil, id))] = rec
	}
	return v.compare(p, parkedKey(nil, NewOpID(p, 0)), parkedKey(nil, NewOpID(p, maxSequence)), want, "parked message")
}

// transit checks the transfers that lie at their source: each was sent. One
// that has been booked may lie there until the courier comes by.
func (v *verifier) transit(p int) error {
	return scan(v.db, appendPartition(nil, spaceTransfer, p), func(key, rec []byte) (bool, error) {
		id := letterID{NewOpID(p, trailing(key[:11])), uint16(key[11])<<8 | uint16(key[12])}
		should, known := v.part.letters[id]
		if !known || !bytes.Equal(should, rec) {
			v.report(Finding{Partition: p, Op: id.op, What: "a transfer lies at its source that its operation did not send"})
			return true, nil
		}
		booked, err := v.booked(p, id, rec)
		if err != nil {
			return false, err
		}
		if !booked {
			v.proof.Transit++
			delete(v.sent, id)
		}
		return true, nil
	})
}

// booked tells by the receiver's watermark whether a transfer has arrived.
func (v *verifier) booked(p int, id letterID, rec []byte) (bool, error) {
	var t Transfer
	if err := decodeTransfer(rec, &t); err != nil {
		return false, err
	}
	var w watermark
	_, err := load(v.db, watermarkKey(nil, t.To.Partition(len(v.l.parts)), p), func(rec []byte) error { return decodeWatermark(rec, &w) })
	return id.op < w.op || id.op == w.op && id.index <= w.index, err
}

func (v *verifier) watermarks(p int) error {
	want := map[string][]byte{}
	for source, w := range v.part.arrivals {
		want[string(watermarkKey(nil, p, source))] = appendWatermark(nil, &w)
	}
	if err := v.oldWatermarks(p, want); err != nil {
		return err
	}
	return v.compareSpace(p, spaceWatermark, want, "watermark")
}

// globals checks what belongs to no partition: identifiers lead to accounts,
// sealed rows and profiles decrypt.
func (v *verifier) globals() error {
	if err := v.proveAudit(); err != nil {
		return err
	}
	err := scan(v.db, []byte{spaceLink}, func(_, rec []byte) (bool, error) {
		var link Link
		if err := decodeLink(rec, &link); err != nil {
			return false, err
		}
		if link.Account == 0 && checkLink(&link) == nil {
			return true, nil // a card that is nobody's yet
		}
		ok, err := v.exists(link.Account)
		if !ok && err == nil {
			v.report(Finding{Account: link.Account, What: "an identifier leads to it and it does not exist"})
		}
		return true, err
	})
	if err != nil {
		return err
	}
	err = scan(v.db, []byte{spaceSealed}, func(key, rec []byte) (bool, error) {
		if _, err := v.l.secret.openRow(key, rec); err != nil {
			v.report(Finding{What: "a row of a directory: " + err.Error()})
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return scan(v.db, []byte{spaceProfile}, func(key, rec []byte) (bool, error) {
		id := AccountID(trailing(key))
		if _, err := v.l.secret.open(rec, id); err != nil {
			v.report(Finding{Account: id, What: err.Error()})
		}
		ok, err := v.exists(id)
		if !ok && err == nil {
			v.report(Finding{Account: id, What: "it has a profile and does not exist"})
		}
		return true, err
	})
}

func (v *verifier) exists(id AccountID) (bool, error) {
	return load(v.db, accountKey(nil, id.Partition(len(v.l.parts)), id), func([]byte) error { return nil })
}

package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"

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

// add counts what another part of the proof has looked at. The audit is one
// part's alone.
func (p *Proof) add(q *Proof) {
	for _, n := range []struct {
		sum  *uint64
		part uint64
	}{
		{&p.Records, q.Records}, {&p.Windows, q.Windows}, {&p.Accounts, q.Accounts}, {&p.Sales, q.Sales}, {&p.Holds, q.Holds},
		{&p.Transit, q.Transit}, {&p.Dropped, q.Dropped}, {&p.BySums, q.BySums},
	} {
		*n.sum += n.part
	}
	p.Balances.Available += q.Balances.Available
	p.Balances.Pending += q.Balances.Pending
	p.Balances.Held += q.Balances.Held
	p.Balances.Deficit += q.Balances.Deficit
	for i, leg := range q.Legs {
		p.Legs[i] += leg
	}
}

// Verify proves the invariants of the books over the store in a data
// directory that nobody has open, on all processors. See [Ledger.Verify].
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
	proof, err := l.verify(l.db, runtime.GOMAXPROCS(0), lookupRoom, found)
	return proof, errors.Join(err, l.db.Close())
}

// Verify proves the invariants of the books at one moment while the ledger
// serves, on half of the processors: tills go first. It replays the journal into
// fresh state, a partition on each, and tells found whatever differs, in one
// order whatever the number of processors, on the caller's goroutine:
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
// It needs the memory of one partition's accounts and sales for each processor
// that works on it, beside some 150 MiB for what is looked up, and 32 bytes for
// each transfer of the journal. The error is about reading, or about books so
// contradictory that the proof can't go on.
func (l *Ledger) Verify(found func(Finding)) (Proof, error) {
	if err := l.Err(); err != nil {
		return Proof{}, err
	}
	snapshot := l.db.NewSnapshot()
	proof, err := l.verify(snapshot, max(1, runtime.GOMAXPROCS(0)/2), lookupRoom, found)
	return proof, errors.Join(err, snapshot.Close())
}

// verifier is what all parts of a proof share and none changes.
type verifier struct {
	l     *Ledger
	db    pebble.Reader
	bases []base // by partition
	now   int64  // when the proof began, unix ns
	room  int    // of one kind of lookups, in bytes
	// The days whose duplicates must still be known.
	dupsFrom, dupsTo int32
}

// verify proves the books as db has them by so many goroutines, each with room
// for lookups, in bytes of each kind.
func (l *Ledger) verify(db pebble.Reader, workers, room int, found func(Finding)) (Proof, error) {
	v := &verifier{l: l, db: db, now: l.o.Clock(), room: room}
	v.dupsFrom, v.dupsTo = l.dupDays(v.now)
	for p := range l.parts {
		b, err := readBase(db, p)
		if err != nil {
			return Proof{}, err
		}
		v.bases = append(v.bases, b)
	}
	var proof Proof
	report := func(f Finding) {
		proof.Findings++
		found(f)
	}
	parts := make([]*replay, len(l.parts))
	var each []section
	for p := range parts {
		each = append(each, func(say func(Finding)) error {
			r := newReplay(v, p, say)
			err := r.prove()
			parts[p] = r.proven()
			return err
		})
	}
	if err := inOrder(workers, each, report); err != nil {
		return proof, err
	}
	for _, r := range parts {
		proof.add(&r.proof)
	}
	if err := v.transfers(parts, report); err != nil {
		return proof, err
	}
	totals(&proof, report)
	err := inOrder(workers, v.globals(&proof), report)
	return proof, err
}

// totals holds the accounts to the journal, and the journal to nought.
func totals(proof *Proof, report func(Finding)) {
	b, legs := proof.Balances, proof.Legs
	if b.Available != legs[LegAvailable] || b.Pending != legs[LegPending] || b.Held != legs[LegHeld] || b.Deficit != legs[LegDeficit] {
		report(Finding{What: fmt.Sprintf("the accounts hold %+v, the journal says %v", b, legs[:LegIssued])})
	}
	var total int64
	for _, leg := range legs {
		total += leg
	}
	if total != 0 {
		report(Finding{What: fmt.Sprintf("debits and credits differ by %d", total)})
	}
}

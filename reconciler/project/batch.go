package project

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tillgate/ledger"
	"tillgate/reconciler/stream"
)

// batch is what one transaction brings in.
type batch struct {
	s        *state
	tables   *tables
	records  int
	repeats  int
	bytes    int
	first    map[int]uint64 // per touched partition, the position it came from
	members  map[ledger.AccountID]*member
	profiles map[ledger.AccountID]profile
	offsets  map[int]int64
	verdicts map[string]int
	moves    []move // set by close
}

// move is how far a batch brings a partition.
type move struct {
	partition int
	from, to  uint64
	booked    int64
	window    []byte
}

// member is what the batch's records say about a member.
type member struct {
	merchant           string
	registered, erased bool
	into               ledger.AccountID
	created, joined    int64
	wanted             uint64
}

type profile struct {
	json []byte
	asOf uint64
}

// begin opens a batch. There are two sets of tables, because one batch is
// gathered while the one before is being committed.
func (s *state) begin() *batch {
	s.turn = 1 - s.turn
	t := &s.tables[s.turn]
	t.reset()
	return &batch{
		s: s, tables: t, first: map[int]uint64{}, members: map[ledger.AccountID]*member{},
		profiles: map[ledger.AccountID]profile{}, offsets: map[int]int64{}, verdicts: map[string]int{},
	}
}

func (b *batch) empty() bool {
	return len(b.first) == 0 && len(b.profiles) == 0 && len(b.offsets) == 0
}

// errMoved says that somebody else has projected meanwhile.
var errMoved = errors.New("another process projects into the same schema")

// close ends the gathering: what the batch needs of the state is fixed, which
// goes on to the next one.
func (b *batch) close() {
	b.memberRows()
	for n, from := range b.first {
		at := &b.s.partitions[n]
		b.moves = append(b.moves, move{partition: n, from: from, to: at.sequence, booked: at.booked, window: at.window.save()})
	}
	// In one order, so that two projectors don't lock rows crosswise.
	slices.SortFunc(b.moves, func(x, y move) int { return x.partition - y.partition })
}

// postgres is a connection to PostgreSQL.
type postgres struct{ conn *pgx.Conn }

func (p postgres) close(ctx context.Context) { _ = p.conn.Close(ctx) } // it may be broken

// commit brings the batch in: the positions first, whose rows are thereby
// locked against a second projector, then the rows.
func (p postgres) commit(ctx context.Context, b *batch) error {
	tx, err := p.conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after a commit there is nothing to undo
	if err := b.move(ctx, tx); err != nil {
		return err
	}
	if err := b.tables.flush(ctx, tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func (b *batch) move(ctx context.Context, tx pgx.Tx) error {
	n := len(b.moves)
	partitions, from, to := make([]int32, n), make([]int64, n), make([]int64, n)
	booked, windows := make([]time.Time, n), make([][]byte, n)
	for i, m := range b.moves {
		partitions[i], from[i], to[i] = int32(m.partition), int64(m.from), int64(m.to)
		booked[i], windows[i] = time.Unix(0, m.booked), m.window
	}
	tag, err := tx.Exec(ctx, `UPDATE positions p SET sequence = n.moved, booked_at = n.booked_at, window_state = n.window_state
		FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::bytea[]) AS n(partition, was, moved, booked_at, window_state)
		WHERE p.partition = n.partition AND p.sequence = n.was`, partitions, from, to, booked, windows)
	if err != nil {
		return fmt.Errorf("moving the positions: %w", err)
	}
	if int(tag.RowsAffected()) != n {
		return errMoved
	}
	for partition, next := range b.offsets {
		if _, err := tx.Exec(ctx, `INSERT INTO profile_offsets (partition, next) VALUES ($1, $2)
			ON CONFLICT (partition) DO UPDATE SET next = excluded.next`, partition, next); err != nil {
			return fmt.Errorf("moving the profiles' offsets: %w", err)
		}
	}
	return nil
}

// accept takes a delivery into the batch. What can't be taken stops its
// partition, says so loudly, and leaves the others alone.
func (p *Projector) accept(s *state, b *batch, d *Delivery) {
	b.bytes += d.bytes()
	for i := range d.Records {
		r := &d.Records[i]
		n := r.ID.Partition()
		if n >= len(s.partitions) {
			continue
		}
		before := s.partitions[n].sequence
		err := b.add(r)
		at := &s.partitions[n]
		switch {
		case err != nil && at.stuck == nil:
			p.m.stopped(err)
			p.o.Logger.Error("a partition of the stream stops", "partition", n, "cause", err.Error())
			s.stop(n, err, p.o.Again)
			p.stopped(n, err)
		case at.stuck != nil && at.sequence > before:
			p.o.Logger.Warn("a partition of the stream goes on", "partition", n, "sequence", at.sequence)
			s.goOn(n)
			p.stopped(n, nil)
		}
	}
	for i := range d.Profiles {
		p.addProfile(b, &d.Profiles[i])
	}
	if d.Next > 0 {
		b.offsets[d.ProfilePartition] = d.Next
	}
}

// GapError says that records are missing between what is here and what came.
type GapError struct {
	Partition int
	Want, Got uint64
}

func (e *GapError) Error() string {
	return fmt.Sprintf("gap in partition %d: record %d came where %d is next; nothing of this partition is projected until the missing records are there", e.Partition, e.Got, e.Want)
}

// add takes one record, unless it is a repeat.
func (b *batch) add(r *stream.Record) error {
	n, sequence := r.ID.Partition(), r.ID.Sequence()
	at := &b.s.partitions[n]
	switch {
	case sequence <= at.sequence:
		b.repeats++
		return nil
	case sequence != at.sequence+1:
		return &GapError{Partition: n, Want: at.sequence + 1, Got: sequence}
	}
	op := &b.s.op
	if err := b.s.decoder.Operation(r.Data, op); err != nil {
		return fmt.Errorf("record %s can't be read: %w", r.ID, err)
	}
	if op.ID != r.ID {
		return fmt.Errorf("record %s came in the place of %s", op.ID, r.ID)
	}
	if err := b.rows(op, r.Data, at); err != nil {
		return fmt.Errorf("record %s: %w", r.ID, err)
	}
	if _, ok := b.first[n]; !ok {
		b.first[n] = at.sequence
	}
	at.sequence, at.booked = sequence, op.Time
	b.records++
	return nil
}

// rows writes what the record becomes. Everything that can fail comes before
// the first row.
func (b *batch) rows(op *ledger.Operation, data []byte, at *partition) error {
	t := b.tables
	switch op.Kind {
	case ledger.KindWindow:
		sealed, err := openWindow(op)
		if err != nil {
			return err
		}
		verdict := at.window.judge(op, sealed)
		b.verdicts[verdict]++
		windowRow(t.windows, op, sealed, verdict)
	case ledger.KindShift:
		if len(op.Data) == 0 {
			break // declined before anything was matched
		}
		if err := shiftRow(t.shifts, op); err != nil {
			return err
		}
	}
	at.window.add(op, data)
	operationRow(t.operations, op)
	lineRows(t.lines, op)
	ruleRows(t.rules, op)
	lotRows(t.lots, op)
	b.member(op)
	return nil
}

// member notes what the record says about its member.
func (b *batch) member(op *ledger.Operation) {
	if !stream.ChangesProfile(op.Kind) || op.Account == 0 || op.Declined() {
		return
	}
	m := b.members[op.Account]
	if m == nil {
		m = &member{}
		b.members[op.Account] = m
	}
	m.merchant = strings.Clone(op.Merchant)
	m.wanted = op.ID.Sequence()
	switch op.Kind {
	case ledger.KindEnrol:
		m.created = op.Time
		if op.Registered {
			m.registered, m.joined = true, op.Time
		}
	case ledger.KindRegister:
		m.registered, m.joined = true, op.Time
	case ledger.KindErase:
		m.erased = true
	case ledger.KindMerge:
		m.into = op.Into
	}
}

// addProfile keeps the newest profile of the batch. One that can't be opened
// is an error of ours or a foreign key; the member's row stays as it is.
func (p *Projector) addProfile(b *batch, in *stream.Profile) {
	asOf := in.AsOf.Sequence()
	if have, ok := b.profiles[in.Account]; ok && have.asOf > asOf {
		return
	}
	var plain []byte
	if in.Sealed != nil {
		var err error
		plain, err = p.o.Open(in.Account, in.Sealed)
		if err != nil || !jsonObject(plain) {
			p.m.profilesRefused.Inc()
			p.o.Logger.Error("a profile can't be opened and is left out", "account", in.Account.String(), "as_of", in.AsOf.String())
			return
		}
	}
	b.profiles[in.Account] = profile{json: plain, asOf: asOf}
}

// memberRows stages what was gathered about members and their profiles: one
// row for each member, as an upsert needs.
func (b *batch) memberRows() {
	for id, m := range b.members {
		p, known := b.profiles[id]
		memberRow(b.tables.members, id, m, p, known)
	}
	for id, p := range b.profiles {
		if b.members[id] == nil {
			memberRow(b.tables.members, id, &member{}, p, true)
		}
	}
}

func memberRow(t *copyTable, id ledger.AccountID, m *member, p profile, known bool) {
	t.begin()
	t.accountID(id)
	t.text(m.merchant)
	t.boolean(m.registered)
	t.boolean(m.erased)
	t.accountID(m.into)
	t.timestamp(m.created)
	t.timestamp(m.joined)
	t.bigint(int64(m.wanted))
	if known && p.json != nil {
		t.jsonb(p.json)
	} else {
		t.null()
	}
	t.bigint(int64(p.asOf))
	t.end()
}

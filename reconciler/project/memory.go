package project

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"sync"
)

// database is where batches go.
type database interface {
	// commit brings a batch in, all of it or nothing. It refuses one that does
	// not begin where the positions stand.
	commit(ctx context.Context, b *batch) error
	close(ctx context.Context)
}

// open connects, once for each lane, and reads where the projection stands.
func (p *Projector) open(ctx context.Context) ([]database, *state, error) {
	if p.o.Memory != nil {
		s, err := p.o.Memory.load(p)
		return []database{p.o.Memory}, s, err
	}
	return p.connect(ctx)
}

func closeAll(ctx context.Context, all []database) {
	for _, one := range all {
		one.close(context.WithoutCancel(ctx))
	}
}

// Memory takes the rows in place of PostgreSQL: the same batches, with the same
// rule about positions, without SQL. It is for simulations, which have neither
// processes nor sockets. Members and their profiles, which SQL merges, are not
// kept.
type Memory struct {
	// Bring, if set, is called in place of each commit: bring does it. What
	// Bring answers is the commit's outcome, so that a lost answer, too, can be
	// played.
	Bring func(bring func() error) error

	mu         sync.Mutex
	partitions []remembered
	offsets    map[int]int64
	rows       map[string][][]byte // by table
}

// remembered is where a partition stands.
type remembered struct {
	sequence uint64
	booked   int64
	window   []byte
}

// NewMemory is an empty projection of a ledger with so many partitions.
func NewMemory(partitions int) *Memory {
	return &Memory{partitions: make([]remembered, partitions), offsets: map[int]int64{}, rows: map[string][][]byte{}}
}

// Position is the newest sequence of a partition that was brought in.
func (m *Memory) Position(partition int) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.partitions[partition].sequence
}

// Rows are the rows of each table in PostgreSQL's binary form, in an order of
// their own, so that two projections of one journal are equal. The verdict on a
// window is one of its columns.
func (m *Memory) Rows() map[string][][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string][][]byte{}
	for table, rows := range m.rows {
		sorted := slices.Clone(rows)
		slices.SortFunc(sorted, bytes.Compare)
		out[table] = sorted
	}
	return out
}

func (m *Memory) load(p *Projector) (*state, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &state{partitions: make([]partition, len(m.partitions))}
	for i := range m.partitions {
		at := &s.partitions[i]
		at.sequence, at.booked = m.partitions[i].sequence, m.partitions[i].booked
		if err := at.window.load(m.partitions[i].window); err != nil {
			return nil, err
		}
	}
	for n, next := range m.offsets {
		for len(s.profiles) <= n {
			s.profiles = append(s.profiles, 0)
		}
		s.profiles[n] = next
	}
	return s, p.aheadOfLedger(s)
}

func (m *Memory) close(context.Context) {}

func (m *Memory) commit(_ context.Context, b *batch) error {
	bring := func() error { return m.bring(b) }
	if m.Bring != nil {
		return m.Bring(bring)
	}
	return bring()
}

func (m *Memory) bring(b *batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, move := range b.moves {
		if m.partitions[move.partition].sequence != move.from {
			return errMoved
		}
	}
	for _, move := range b.moves {
		m.partitions[move.partition] = remembered{move.to, move.booked, slices.Clone(move.window)}
	}
	for n, next := range b.offsets {
		m.offsets[n] = next
	}
	t := b.tables
	for _, one := range []*copyTable{t.operations, t.lines, t.rules, t.lots, t.windows, t.shifts} {
		m.rows[one.target] = append(m.rows[one.target], one.split()...)
	}
	return nil
}

// split is each staged row by itself.
func (t *copyTable) split() (rows [][]byte) {
	at := len(copyHeader)
	for at < len(t.buf) {
		end := at + 2
		for range binary.BigEndian.Uint16(t.buf[at:]) {
			n := int32(binary.BigEndian.Uint32(t.buf[end:]))
			end += 4 + max(0, int(n))
		}
		rows = append(rows, slices.Clone(t.buf[at:end]))
		at = end
	}
	return rows
}

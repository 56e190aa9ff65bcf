package project

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// copyTable collects rows in PostgreSQL's binary COPY format (PostgreSQL
// manual, "COPY": file formats, binary format): a header, then for each row
// the number of its fields as int16 and for each field its length as int32
// (-1 for null) and its bytes, big-endian, in the type's own binary form.
//
// pgx's CopyFrom would do the same through a []any per row; with seventy
// columns that is most of the projector's time.
//
// Rows that are new by the rule of the sequence go straight into their table:
// COPY fills pages, and writes the log, for many rows at once, where INSERT does
// it row by row. Only what must be merged with rows that may be there takes the
// way through a temporary table.
type copyTable struct {
	target  string
	columns []string
	stage   string // the temporary table; "" without a conflict clause
	copy    string // the COPY
	into    string // the INSERT … SELECT; "" without a conflict clause
	buf     []byte
	rows    int
	fields  int // of the open row
	lens    int // where the open row's count stands
}

var copyHeader = []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")

// newCopyTable prepares rows for target. With a conflict clause they are staged
// and inserted with it, one row for each key.
func newCopyTable(target string, columns []string, conflict string) *copyTable {
	t := &copyTable{target: target, columns: columns}
	list, first := strings.Join(t.columns, ", "), target
	if conflict != "" {
		t.stage = "stage_" + target
		t.into = fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s %s", target, list, list, t.stage, conflict)
		first = t.stage
	}
	t.copy = fmt.Sprintf("COPY %s (%s) FROM STDIN (FORMAT binary)", first, list)
	t.reset()
	return t
}

func (t *copyTable) reset() {
	t.buf = append(t.buf[:0], copyHeader...)
	t.rows = 0
}

// createStage is the SQL of the temporary table; it lives as long as the
// connection and is emptied by each commit. It is "" where none is needed.
func (t *copyTable) createStage() string {
	if t.stage == "" {
		return ""
	}
	return fmt.Sprintf("CREATE TEMPORARY TABLE %s ON COMMIT DELETE ROWS AS SELECT %s FROM %s WITH NO DATA;\n",
		t.stage, strings.Join(t.columns, ", "), t.target)
}

// flush copies what was collected into the target, or into the staging table
// and from there, in one statement, into the target.
func (t *copyTable) flush(ctx context.Context, tx pgx.Tx) error {
	if t.rows == 0 {
		return nil
	}
	body := io.MultiReader(bytesReader(t.buf), strings.NewReader("\xff\xff"))
	tag, err := tx.Conn().PgConn().CopyFrom(ctx, body, t.copy)
	if err != nil {
		return fmt.Errorf("copying rows of %s: %w", t.target, err)
	}
	if int(tag.RowsAffected()) != t.rows {
		return fmt.Errorf("copying rows of %s: %d rows of %d arrived", t.target, tag.RowsAffected(), t.rows)
	}
	if t.into == "" {
		return nil
	}
	if _, err := tx.Exec(ctx, t.into); err != nil {
		return fmt.Errorf("inserting into %s: %w", t.target, err)
	}
	return nil
}

func bytesReader(b []byte) io.Reader { return &sliceReader{b} }

// sliceReader is a bytes.Reader without WriteTo, so that pgx copies it in
// pieces of its own size.
type sliceReader struct{ rest []byte }

func (r *sliceReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// begin opens a row; end closes it and must find as many fields as columns.
func (t *copyTable) begin() {
	t.lens = len(t.buf)
	t.fields = 0
	t.buf = append(t.buf, 0, 0)
}

func (t *copyTable) end() {
	if t.fields != len(t.columns) {
		panic(fmt.Sprintf("project: %d fields for the %d columns of %s", t.fields, len(t.columns), t.target))
	}
	binary.BigEndian.PutUint16(t.buf[t.lens:], uint16(t.fields))
	t.rows++
}

func (t *copyTable) length(n int) {
	t.fields++
	t.buf = binary.BigEndian.AppendUint32(t.buf, uint32(int32(n)))
}

func (t *copyTable) null() { t.length(-1) }

func (t *copyTable) bigint(v int64) {
	t.length(8)
	t.buf = binary.BigEndian.AppendUint64(t.buf, uint64(v))
}

func (t *copyTable) integer(v int32) {
	t.length(4)
	t.buf = binary.BigEndian.AppendUint32(t.buf, uint32(v))
}

func (t *copyTable) boolean(v bool) {
	t.length(1)
	if v {
		t.buf = append(t.buf, 1)
	} else {
		t.buf = append(t.buf, 0)
	}
}

func (t *copyTable) bytea(b []byte) {
	t.length(len(b))
	t.buf = append(t.buf, b...)
}

func (t *copyTable) text(s string) {
	if s == "" { // as most are
		t.length(0)
		return
	}
	s = storable(s)
	t.length(len(s))
	t.buf = append(t.buf, s...)
}

// jsonb is the JSON text with the format's version, 1, in front.
func (t *copyTable) jsonb(b []byte) {
	t.length(len(b) + 1)
	t.buf = append(append(t.buf, 1), b...)
}

// Unix seconds of PostgreSQL's epoch, 2000-01-01.
const postgresEpoch = 946684800

// timestamp is unix nanoseconds as timestamptz: microseconds, rounded down.
// Zero is null.
func (t *copyTable) timestamp(ns int64) {
	if ns == 0 {
		t.null()
		return
	}
	us := ns / 1000
	if ns%1000 < 0 {
		us--
	}
	t.bigint(us - postgresEpoch*1_000_000)
}

// date is a day counted from 1970-01-01; zero is null.
func (t *copyTable) date(day int32) {
	if day == 0 {
		t.null()
		return
	}
	t.integer(day - int32(postgresEpoch/int64((24*time.Hour).Seconds())))
}

const (
	oidText   = 25
	oidBigint = 20
)

// array opens a one-dimensional array: its dimensions (0 for an empty one),
// a flag for nulls, the elements' type, then length and lower bound. Its own
// length is set by the closing function.
func (t *copyTable) array(oid uint32, n int) (done func()) {
	t.length(0)
	at := len(t.buf)
	dims := uint32(1)
	if n == 0 {
		dims = 0
	}
	t.buf = binary.BigEndian.AppendUint32(t.buf, dims)
	t.buf = binary.BigEndian.AppendUint32(t.buf, 0)
	t.buf = binary.BigEndian.AppendUint32(t.buf, oid)
	if n > 0 {
		t.buf = binary.BigEndian.AppendUint32(t.buf, uint32(n))
		t.buf = binary.BigEndian.AppendUint32(t.buf, 1)
	}
	return func() { binary.BigEndian.PutUint32(t.buf[at-4:], uint32(len(t.buf)-at)) }
}

func (t *copyTable) texts(list []string) {
	done := t.array(oidText, len(list))
	for _, s := range list {
		s = storable(s)
		t.buf = binary.BigEndian.AppendUint32(t.buf, uint32(len(s)))
		t.buf = append(t.buf, s...)
	}
	done()
}

func (t *copyTable) bigints(list []int64) {
	done := t.array(oidBigint, len(list))
	for _, v := range list {
		t.buf = binary.BigEndian.AppendUint32(t.buf, 8)
		t.buf = binary.BigEndian.AppendUint64(t.buf, uint64(v))
	}
	done()
}

// storable is s as PostgreSQL's text can hold it: without NUL and with valid
// UTF-8. The edges refuse both, but a journal record is a fact, and one that
// can't be stored would stop the projection for ever.
func storable(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return s
}

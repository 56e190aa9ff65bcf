package ledger

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// update writes the golden files of records anew:
//
//	go test ./ledger -run Golden -update
//
// A file that is there already may only change before its version has been
// released: what was ever written must be readable for ever.
var update = flag.Bool("update", false, "write the golden files of records anew")

func fullOperation() *Operation {
	part := LotPart{Active: 1763600000e9, Expires: 1771500000e9, Points: 3500, Own: true}
	return &Operation{
		ID: NewOpID(5, 77), Kind: KindConfirm, Code: 1, Render: 2, Time: 1763628666e9, At: 1763628665e9, Offset: 18000,
		Due: 1763628000e9, Account: 0x0123456789abcdef, Prev: NewOpID(5, 70), Parent: NewOpID(5, 71), Target: NewOpID(5, 72),
		Undoes: KindReturn, Figures: NewOpID(5, 73), Program: 3,
		Merchant: "coffee-house", Terminal: "T0001", Store: "S01", Cashier: "C7", Channel: "store", Receipt: "000123", Shift: "45",
		Actor: "till-key", Edge: 2, Offline: true, Late: true, Registered: true, Purchase: true,
		ISO: ISORef{"0220", "000000", "000042", "123105", "1120", "1120073105", "398"},
		Dups: []DupRef{{Key: Key{1, 2, 3}, Entry: DupEntry{
			Disc: "S01 1120123105", Sent: []string{"1120073105", "1120073107"}, Hash: [16]byte{9}, Op: NewOpID(5, 77), Time: 1763628666e9, Class: "022",
		}}},
		Total: 130000, Discount: 1000, Redeemed: 65000, Payable: 64000, Points: 65000, Earned: 6400, MaxRedeem: 65000, Asked: 70000,
		Lines: []Line{{"1", "4601", "coffee", 1000, 70000, 70000, 500, 35000, 3450, 35000}, {"2", "4602", "", 2000, 30000, 60000, 500, 30000, 2950, 30000}},
		Rules: []Rule{{Name: "base", Points: 6400}}, Hints: []Hint{{"ladder", "15 %", 170000}}, Warnings: []string{"clock"}, Flags: []string{"printed_differs"},
		Tier: "Base", NextTier: "Premium", NextMissing: 870000, Detail: "why", Field: "redeem.points", Status: "confirmed",
		Extend: 1779300000e9, Drop: NewOpID(5, 71), Lots: []LotPart{part, {Active: 1, Points: -7}}, Hold: NewOpID(5, 74), HoldUntil: 1763629566e9,
		Pins: []LotPart{part}, EarnedLot: LotPart{Active: 1764838200e9, Points: 6400}, Owed: -12, Spent: DaySum{20412, 64000}, TierUntil: 1771400000e9,
		Into: 17, Upline: []AccountID{18, 20}, Transfers: []Transfer{{
			To: 19, Parts: []LotPart{part}, Spent: []DaySum{{20411, 5}}, Bought: Bought{3, 1762000000e9, 1763000000e9},
			Counts: []CountChange{{Count: Count{Key: 7, Value: 2}}}, Rule: "referral", Forgive: true, Sale: NewOpID(5, 71),
			Standing: Standing{"VIP", 1771400000e9, 1771300000e9, true, true, 1763628665e9, 18000, 3},
		}},
		Source: NewOpID(6, 9), SourceIndex: 3, Sums: []DaySum{{20410, 6}},
		Legs: [LegCount]int64{1, -2, 3, -4, 5, -6, 7, -8, 9, -5}, After: Balance{35000, 100, 65000, -12}, Data: []byte{0, 1, 2},
		Bought: Bought{2, 1761000000e9, 1762000000e9}, Grant: "VIP", GrantUntil: 1771400000e9, Wake: 1764400000e9,
		Counts: []CountChange{{Count: Count{1 << 63, 20412, 3, 1763628665e9, 20500}, Shared: true, Line: 2}, {Count: Count{Key: 5, Value: 1}, Set: true}},
		Gifts:  []Gift{{"welcome", part, 0}}, Rewards: []Reward{{19, "referral", part, true}},
	}
}

func fullAccount() *Account {
	return &Account{
		ID: 0x0123456789abcdef, Merchant: "coffee-house", Registered: true, Erased: true, Into: 17, Created: 1763600000e9, Joined: 1763600001e9,
		Upline: []AccountID{18, 20}, Through: 1763628666e9, Last: NewOpID(5, 77),
		Lots:    []LotPart{{Active: 1763600000e9, Expires: 1771500000e9, Points: 3500, Own: true}, {Active: 1764838200e9, Points: 6400}},
		Holds:   []Hold{{ID: NewOpID(5, 74), Op: NewOpID(5, 75), Until: 1763629566e9, Pins: []LotPart{{Active: 1, Points: 5}}, Counts: []CountChange{{Count: Count{Key: 5, Value: 1}, Shared: true, Line: 1}}}},
		Deficit: -12, Tier: "VIP", TierUntil: 1771400000e9, Lifetime: 1000000, Days: []DaySum{{20410, 6}, {20412, -1}}, Purchases: 12,
		LastPurchase: 1763628665e9, FirstPurchase: 1763000000e9, Scheduled: 29393826,
		Counts: []Count{{5, 0, 1, 0, 0}, {7, 20411, 2000, 1763000000e9, 20776}, {7, 20412, 1000, 1763600000e9, 20777}}, Wake: 1764400000e9,
	}
}

func fullSale() *Sale {
	op := fullOperation()
	s := &Sale{
		ID: op.Parent, Account: op.Account, Status: SaleConfirmed, Record: op.ID, Booked: op.Time, At: op.At, Program: 3,
		Terminal: "T0001", Store: "S01", Receipt: "000123", Shift: "45", Total: 130000, Discount: 1000, Redeemed: 65000, Payable: 64000,
		Points: 65000, Earned: 6400, Back: LineBack{1, 2, 3, 4, 5, 6, 7}, Pins: op.Pins, Restored: op.Pins, EarnedLot: op.EarnedLot, Day: 20412,
		Counts: op.Counts, Gifts: op.Gifts, Rewards: op.Rewards,
	}
	for _, l := range op.Lines {
		s.Lines = append(s.Lines, SaleLine{Line: l, Back: LineBack{Quantity: 1000, Payable: 34500}})
	}
	return s
}

// record is one kind of record: an example, and its decoder followed by its
// encoder.
type record struct {
	name    string
	example []byte
	again   func(rec []byte) ([]byte, error)
}

// recode makes a record's again from its codec.
func recode[T any](decode func([]byte, *T) error, encode func([]byte, *T) []byte) func([]byte) ([]byte, error) {
	return func(rec []byte) ([]byte, error) {
		var v T
		if err := decode(rec, &v); err != nil {
			return nil, err
		}
		return encode(nil, &v), nil
	}
}

func records() []record {
	op, dups := fullOperation(), []DupEntry{fullOperation().Dups[0].Entry, {Mark: true, Class: "010", Time: 5, Sent: []string{"0000000000"}}}
	receipts := []ReceiptEntry{{Shift: "45", Op: op.ID, Time: 7}, {Mark: true, Time: 8}}
	shift := &ShiftEntry{
		Op: op.ID, Sale: op.Parent, Kind: KindReverse, Undoes: KindReturn, Time: 1, At: 2, Receipt: "000123", Status: "booked",
		Flags: []string{"f"}, Total: 3, Discount: 4, Redeemed: 5, Payable: 6, Points: 7, Earned: -8,
	}
	link := &Link{Account: 9, Kind: 2, State: CardActive, Type: "gold", Last4: "1234", Expires: 11}
	park := &Parked{op.ID, 9, op.Parent, 1, 2, "coffee-house", "T0001", "S01", "000123", "45", "why", 3, 4, 5, 6}
	shared, bucket := int64(9999), int32(20412)
	kept := &base{first: 1001, sales: 1203, windows: 3, legs: op.Legs, hash: [32]byte{1, 31: 2}}
	window := &Window{First: 1, Last: 1000, Legs: op.Legs, Hash: [32]byte{1, 31: 2}}
	audit := &AuditRecord{
		7, 8, "office", 9, "coffee-house", []AuditChange{{"S01", false, []byte("x"), []byte("y")}, {ID: "S02", Hashed: true, Before: bytes.Repeat([]byte{1}, 16)}}, Key{1, 15: 2},
	}
	programme := &Program{"coffee-house", 3, 4, 5, "key", []byte("program: coffee-house\n")}
	cheaper := &Operation{
		ID: NewOpID(5, 78), Kind: KindAccrue, Total: 10000, Discount: 500, Payable: 9500, Earned: 950,
		Rules: []Rule{{Name: "flat", Discount: 500}, {Name: "base", Points: 950}},
	}
	brought := &Operation{
		ID: NewOpID(5, 79), Kind: KindAccrue, Total: 10000, Payable: 10000,
		Lines: []Line{{ID: "1", Quantity: 1000, Amount: 6000}, {ID: "2", Quantity: 1000, Amount: 4000}},
		Gifts: []Gift{{"cakes", LotPart{Active: 1, Points: 40}, 2}, {"cakes", LotPart{Active: 1, Expires: 9, Points: 60, Own: true}, 1}},
	}
	return []record{
		{"operation-gift", AppendOperation(nil, brought), recode(DecodeOperation, AppendOperation)},
		{"operation-discount", AppendOperation(nil, cheaper), recode(DecodeOperation, AppendOperation)},
		{"operation", AppendOperation(nil, op), recode(DecodeOperation, AppendOperation)},
		{"operation-small", AppendOperation(nil, &Operation{ID: 1, Kind: KindEvent}), recode(DecodeOperation, AppendOperation)},
		{"account", appendAccount(nil, fullAccount()), recode(decodeAccount, appendAccount)},
		{"account-small", appendAccount(nil, &Account{ID: 1}), recode(decodeAccount, appendAccount)},
		{"sale", appendSale(nil, fullSale()), recode(decodeSale, appendSale)},
		{"dups", appendDups(nil, dups), func(rec []byte) ([]byte, error) {
			list, err := decodeDups(rec, nil)
			return appendDups(nil, list), err
		}},
		{"receipts", appendReceipts(nil, receipts), func(rec []byte) ([]byte, error) {
			list, err := decodeReceipts(rec, nil)
			return appendReceipts(nil, list), err
		}},
		{"shift", appendShift(nil, shift), recode(decodeShift, appendShift)},
		{"link", appendLink(nil, link), recode(decodeLink, appendLink)},
		{"parked", appendParked(nil, park), recode(decodeParked, appendParked)},
		{"code", appendCode(nil, &code{9, 10}), recode(decodeCode, appendCode)},
		{"transfer", appendTransfer(nil, &op.Transfers[0]), recode(decodeTransfer, appendTransfer)},
		{"watermark", appendWatermark(nil, &watermark{op.ID, 3}), recode(decodeWatermark, appendWatermark)},
		{"program", appendProgram(nil, programme), recode(decodeProgram, appendProgram)},
		{"shared", appendShared(nil, &shared), recode(decodeShared, appendShared)},
		{"base", appendBase(nil, kept), recode(decodeBase, appendBase)},
		{"dup-base", appendDupBase(nil, &bucket), recode(decodeDupBase, appendDupBase)},
		{"audit", appendAudit(nil, audit), recode(decodeAudit, appendAudit)},
		{"window", AppendWindow(nil, window), recode(DecodeWindow, AppendWindow)},
	}
}

func TestGoldenBytesOfEveryRecord(t *testing.T) {
	for _, r := range records() {
		t.Run(r.name, func(t *testing.T) {
			path := filepath.Join("testdata", fmt.Sprintf("%s.v%d.hex", r.name, r.example[1]))
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(hex.Dump(r.example)), 0o644))
			}
			golden, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(golden), hex.Dump(r.example), "the layout has changed: give it a new version and keep reading the old one")
			again, err := r.again(r.example)
			require.NoError(t, err)
			require.Equal(t, r.example, again)
		})
	}
}

func TestEveryFieldComesBack(t *testing.T) {
	var op Operation
	require.NoError(t, DecodeOperation(AppendOperation(nil, fullOperation()), &op))
	require.Equal(t, fullOperation(), &op)
	// The same room used for a small record and a large one in turn.
	for range 2 {
		require.NoError(t, DecodeOperation(AppendOperation(nil, &Operation{ID: 1, Kind: KindEvent}), &op))
		require.Equal(t, AppendOperation(nil, &Operation{ID: 1, Kind: KindEvent}), AppendOperation(nil, &op))
		require.NoError(t, DecodeOperation(AppendOperation(nil, fullOperation()), &op))
		require.Equal(t, fullOperation(), &op)
	}
	var a Account
	require.NoError(t, decodeAccount(appendAccount(nil, fullAccount()), &a))
	require.Equal(t, fullAccount(), &a)
	var s Sale
	require.NoError(t, decodeSale(appendSale(nil, fullSale()), &s))
	require.Equal(t, fullSale(), &s)
}

func TestAnUnknownVersionStopsTheReader(t *testing.T) {
	for _, r := range records() {
		var wrong *VersionError
		newer := append([]byte(nil), r.example...)
		newer[1] = 9
		_, err := r.again(newer)
		require.ErrorAs(t, err, &wrong, r.name)
		require.Contains(t, err.Error(), "version 9, which this program does not know", r.name)
		other := append([]byte(nil), r.example...)
		other[0] = '?'
		_, err = r.again(other)
		require.ErrorAs(t, err, &wrong, r.name)
		require.Contains(t, err.Error(), "was expected", r.name)
	}
}

func TestACutOrLengthenedRecordIsCorrupt(t *testing.T) {
	for _, r := range records() {
		for n := range r.example {
			_, err := r.again(r.example[:n])
			require.Error(t, err, "%s cut after %d bytes", r.name, n)
		}
		_, err := r.again(append(append([]byte(nil), r.example...), 0))
		require.ErrorIs(t, err, ErrCorrupt, r.name)
	}
}

// fuzzRecord holds a decoder to this: whatever the bytes are, it neither
// panics nor takes memory beyond their measure, and what it accepts encodes
// to the same bytes again.
func fuzzRecord(f *testing.F, names ...string) {
	var again func([]byte) ([]byte, error)
	for _, r := range records() {
		for _, name := range names {
			if r.name == name {
				f.Add(r.example)
				again = r.again
			}
		}
	}
	f.Fuzz(func(t *testing.T, rec []byte) {
		got, err := again(rec)
		if err == nil && !bytes.Equal(got, rec) {
			t.Fatalf("%x was read and written as %x", rec, got)
		}
	})
}

func FuzzOperation(f *testing.F) {
	fuzzRecord(f, "operation", "operation-small", "operation-discount", "operation-gift")
}
func FuzzAccount(f *testing.F)   { fuzzRecord(f, "account", "account-small") }
func FuzzSale(f *testing.F)      { fuzzRecord(f, "sale") }
func FuzzDups(f *testing.F)      { fuzzRecord(f, "dups") }
func FuzzReceipts(f *testing.F)  { fuzzRecord(f, "receipts") }
func FuzzShift(f *testing.F)     { fuzzRecord(f, "shift") }
func FuzzLink(f *testing.F)      { fuzzRecord(f, "link") }
func FuzzParked(f *testing.F)    { fuzzRecord(f, "parked") }
func FuzzCode(f *testing.F)      { fuzzRecord(f, "code") }
func FuzzTransfer(f *testing.F)  { fuzzRecord(f, "transfer") }
func FuzzWatermark(f *testing.F) { fuzzRecord(f, "watermark") }
func FuzzProgram(f *testing.F)   { fuzzRecord(f, "program") }
func FuzzShared(f *testing.F)    { fuzzRecord(f, "shared") }
func FuzzBase(f *testing.F)      { fuzzRecord(f, "base") }
func FuzzDupBase(f *testing.F)   { fuzzRecord(f, "dup-base") }
func FuzzWindow(f *testing.F)    { fuzzRecord(f, "window") }

func FuzzProfile(f *testing.F) {
	s, err := newSecret()
	require.NoError(f, err)
	sealed, err := s.seal(nil, 7, []byte(`{"phone":"+77011234567"}`))
	require.NoError(f, err)
	f.Add(sealed)
	f.Fuzz(func(t *testing.T, rec []byte) {
		if plain, err := s.open(rec, 7); err == nil && string(plain) != `{"phone":"+77011234567"}` {
			t.Fatal("another profile decrypts")
		}
	})
}

func FuzzSecret(f *testing.F) {
	s, err := newSecret()
	require.NoError(f, err)
	f.Add(s.encode(s.profiles.Load()))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := parseSecret(text)
		if err != nil {
			return
		}
		again, err := parseSecret(got.encode(got.profiles.Load()))
		require.NoError(t, err)
		require.Equal(t, got.hash, again.hash)
		require.Equal(t, got.profiles.Load().raw, again.profiles.Load().raw)
	})
}

func FuzzIDs(f *testing.F) {
	f.Add("0500000000D1")
	f.Add("04HMASW9NF6YY")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ParseOpID(s); err == nil {
			require.Equal(t, s, id.String())
		}
		if id, err := ParseAccountID(s); err == nil {
			require.Equal(t, s, id.String())
		}
	})
}

func TestErrorsOfRecordsShowNoneOfTheirBytes(t *testing.T) {
	rec := append(AppendOperation(nil, fullOperation()), "secret"...)
	err := DecodeOperation(rec, &Operation{})
	require.ErrorIs(t, err, ErrCorrupt)
	require.False(t, strings.Contains(err.Error(), "coffee") || strings.Contains(err.Error(), "secret"))
}

// TestNumber holds the quick way to the library's: whatever the bytes, and
// wherever in a record they stand. A number that is longer than needed is
// refused.
func TestNumber(t *testing.T) {
	check := func(t require.TestingT, b []byte) {
		want, n := binary.Uvarint(b)
		c := coder{buf: b, reading: true}
		got := c.number()
		if n <= 0 || n > 1 && b[n-1] == 0 {
			require.ErrorIs(t, c.err, ErrCorrupt, "% x", b)
			require.Zero(t, got)
			return
		}
		require.NoError(t, c.err, "% x", b)
		require.Equal(t, want, got, "% x", b)
		require.Equal(t, n, c.pos, "% x", b)
	}
	for bit := range 64 {
		for _, v := range []uint64{1 << bit, 1<<bit - 1, ^uint64(0) >> bit} {
			b := binary.AppendUvarint(nil, v)
			check(t, b)
			check(t, append(b, 0xff, 0x80, 0, 1, 2, 3, 4, 5))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		one := rapid.OneOf(rapid.Byte(), rapid.ByteRange(0x80, 0xff), rapid.Just(byte(0)))
		check(t, rapid.SliceOfN(one, 0, 14).Draw(t, "bytes"))
	})
}

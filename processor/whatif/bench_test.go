package whatif

import (
	"context"
	"fmt"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// books is a journal in memory: what a benchmark of the replay reads, without
// the disk.
type books struct {
	records [][]byte
	members int
}

func (b *books) Partitions() int        { return 1 }
func (b *books) First(int) uint64       { return 1 }
func (b *books) Begins() (int64, error) { return 0, nil }
func (b *books) Synced(int) uint64      { return uint64(len(b.records)) }
func (b *books) Accounts(_ int, fn func(ledger.AccountID) bool) error {
	for id := range b.members {
		if !fn(ledger.AccountID(id + 1)) {
			return nil
		}
	}
	return nil
}

func (b *books) Journal(_ int, from uint64, fn func(ledger.OpID, []byte) bool) error {
	for i := from - 1; i < uint64(len(b.records)); i++ {
		if !fn(ledger.NewOpID(0, i+1), b.records[i]) {
			return nil
		}
	}
	return nil
}

func (b *books) add(op ledger.Operation) ledger.OpID {
	op.ID = ledger.NewOpID(0, uint64(len(b.records)+1))
	b.records = append(b.records, ledger.AppendOperation(nil, &op))
	return op.ID
}

// nowhere is a shop without directories and with one programme.
type nowhere struct{ versions program.Versions }

func (n nowhere) Store(_, _ string) (*time.Location, string, string) { return nil, "", "" }
func (n nowhere) Describe(string, *protocol.Line)                    {}
func (n nowhere) Person(ledger.AccountID) (uint8, uint8, []string)   { return 0, 0, nil }
func (n nowhere) Codes(_ *ledger.Operation, _ *program.Program, uses []program.PromoUse) []program.PromoUse {
	return uses
}
func (n nowhere) Tiers(_ *ledger.Operation, tiers []program.CodeTier) []program.CodeTier {
	return tiers
}
func (nowhere) Merged(*ledger.Operation) []ledger.AccountID { return nil }
func (n nowhere) Versions(string) program.Versions          { return n.versions }
func (n nowhere) Promised(*ledger.Operation) (protocol.IdentifierKind, bool, []ledger.LotPart) {
	return protocol.ByCard, false, nil
}

const benchDraft = `
program: draft
currency: KZT
timezone: Asia/Almaty
tiers: {by: lifetime, levels: [{name: Base}, {name: Gold, from: 10000}]}
lots: {expires_after: 3mo, extend_on_purchase: 3mo}
earn:
  rules:
    - {name: base, when: {tier: [Base]}, give: {percent: 5}}
    - {name: gold, when: {tier: [Gold]}, give: {percent: 7}}
    - {name: coffee, goods: {category: [coffee]}, give: {percent: 10}}
    - {name: morning, when: {hours: "09:00-12:00"}, give: {multiply: 2}}
discounts: {rules: [{name: cakes, goods: {category: [cake]}, give: {percent: 5}}]}
redeem: {with: [card], cap: 50}
`

// benchBooks are some months of a shop's regulars: receipts of three lines;
// every third is paid in part with points. held receipts are an authorization
// and its confirm, two records.
func benchBooks(members, receipts int, held bool) (*books, int64) {
	b, at := &books{members: members}, time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC).UnixNano()
	for m := range members {
		b.add(ledger.Operation{Kind: ledger.KindEnrol, Account: ledger.AccountID(m + 1), Time: at, At: at, Registered: true})
	}
	for i := range receipts {
		at += int64(time.Minute)
		id := ledger.AccountID(i*7919%members + 1)
		op := ledger.Operation{
			Kind: ledger.KindRedeem, Account: id, Time: at, At: at, Program: 1,
			Terminal: "T0001", Store: "S01", Cashier: "C7", Channel: "store", Receipt: fmt.Sprint(i), Shift: "45", Tier: "Base",
			Total: 230_000, Payable: 230_000, Earned: 11_500, Purchase: true, Status: "confirmed",
			EarnedLot: ledger.LotPart{Active: at, Expires: at + 90*24*int64(time.Hour), Points: 11_500},
			Rules:     []ledger.Rule{{Name: "base", Points: 11_500}},
			Spent:     ledger.DaySum{Day: int32(at / (24 * int64(time.Hour))), Spent: 230_000},
		}
		for k, c := range []string{"coffee", "pastry", "cake"} {
			amount := int64(70_000 + 10_000*k - 10_000*(k/2))
			op.Lines = append(op.Lines, ledger.Line{ID: fmt.Sprint(k), SKU: "460" + fmt.Sprint(k), Category: c, Quantity: 1000, Price: amount, Amount: amount, Earned: 3_833})
		}
		op.Total, op.Payable = 70_000+80_000+80_000, 230_000
		op.Lots = []ledger.LotPart{op.EarnedLot}
		if held {
			hold := op
			hold.Kind, hold.Lots, hold.Purchase, hold.Spent = ledger.KindAuthorize, nil, false, ledger.DaySum{}
			hold.Hold, hold.HoldUntil = ledger.NewOpID(0, uint64(len(b.records)+1)), at+int64(15*time.Minute)
			op.Parent, op.Drop = b.add(hold), ledger.NewOpID(0, uint64(len(b.records)))
			op.Kind = ledger.KindConfirm
			op.Parent = hold.Hold
			op.Drop = hold.Hold
		}
		b.add(op)
	}
	return b, at + 1
}

// serverGC is the default of the configuration's memory.gc_percent.
const serverGC = 400

// usage is the processor time of this process: on a machine with other work it
// tells more than the clock.
func usage() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkReplay is what one receipt costs on one processor: decoding of its
// journal records, both accounts, the draft's rules, the sums.
//
//	go test ./processor/whatif -run '^$' -bench Replay -cpu 1
//
// The garbage collector is set as the server sets it.
func BenchmarkReplay(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(serverGC))
	draft, problems := program.Compile([]byte(benchDraft))
	require.Empty(b, problems)
	shop := nowhere{program.Versions{}.With(program.Version{Number: 1, Program: draft})}
	for _, held := range []bool{false, true} {
		name := "one step"
		if held {
			name = "authorized and confirmed"
		}
		b.Run(name, func(b *testing.B) {
			const receipts = 20_000
			journal, to := benchBooks(1_000, receipts, held)
			q := Query{Draft: draft, Document: []byte(benchDraft), To: to}
			b.ReportAllocs()
			done, used := 0, usage()
			for b.Loop() {
				w, err := newReplay(journal, shop, q, 16_384).run(context.Background(), func(context.Context, int64, int64) error { return nil })
				require.NoError(b, err)
				require.EqualValues(b, receipts, w.Receipts.Total)
				done += receipts
			}
			b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "receipts/s")
			b.ReportMetric(float64(done)/(usage()-used).Seconds(), "receipts/s-cpu")
		})
	}
}

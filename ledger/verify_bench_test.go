package ledger

import (
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkVerify is the proof of a store on disk that nobody has open: an
// account with an identifier each, and of every other one a sale, authorized
// and confirmed by a till, so with duplicates, a receipt and a shift. With -cpu
// it tells what more processors bring:
//
//	go test ./ledger -run '^$' -bench 'Verify$' -cpu 1,2
func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	o := Options{MinFreeDisk: -1, Logger: slog.New(slog.DiscardHandler)}
	fillForVerify(b, dir, o, 50_000)
	var proof Proof
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		var err error
		proof, err = Verify(dir, o, func(f Finding) { b.Error(f) })
		require.NoError(b, err)
	}
	b.ReportMetric(float64(proof.Records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// fillForVerify makes a store of some accounts, and of every other one's sale.
func fillForVerify(b testing.TB, dir string, o Options, accounts int) {
	l, err := Open(dir, o)
	require.NoError(b, err)
	const together = 50 // accounts that one task makes
	tasks, done := 0, make(chan error, accounts/together+l.Partitions())
	waiting := make([][]int, l.Partitions())
	send := func(p int) {
		members := waiting[p]
		waiting[p] = nil
		k := &task{func(tx *Tx) error {
			for _, n := range members {
				if err := sellForVerify(tx, n); err != nil {
					return err
				}
			}
			return nil
		}, done}
		for l.Submit(p, k) != nil {
			time.Sleep(time.Millisecond)
		}
		tasks++
	}
	for n := range accounts {
		p := memberForVerify(n).Partition(l.Partitions())
		if waiting[p] = append(waiting[p], n); len(waiting[p]) == together {
			send(p)
		}
	}
	for p := range waiting {
		send(p)
	}
	for range tasks {
		require.NoError(b, <-done)
	}
	require.NoError(b, l.Close())
}

func memberForVerify(n int) AccountID { return AccountID(uint64(n+1) * 0x9e3779b97f4a7c15) }

// sellForVerify makes an account with a card, and if its number is even a sale.
func sellForVerify(tx *Tx, n int) error {
	l, id, card := tx.s.l, memberForVerify(n), strconv.Itoa(n)
	gift := LotPart{Active: tx.Now(), Points: 100_000}
	enrol := &Operation{
		Kind: KindEnrol, Account: id, Merchant: "coffee-house", At: tx.Now(), Registered: true,
		Lots: []LotPart{gift}, Gifts: []Gift{{Rule: "welcome", Part: gift}},
	}
	enrol.Legs[LegIssued] = -gift.Points
	if _, err := tx.Append(enrol); err != nil {
		return err
	}
	if err := tx.PutLink(l.Hash("id", "", "card", card), Link{Account: id, Kind: 1, State: CardActive, Last4: "0000"}); err != nil || n%2 != 0 {
		return err
	}
	pin := LotPart{Active: gift.Active, Points: 6500}
	sale := Operation{
		Account: id, Merchant: "coffee-house", Terminal: "T" + strconv.Itoa(n%1000), Store: "S" + strconv.Itoa(n%100),
		Receipt: card, Shift: "1", At: tx.Now(), Program: 3, Total: 130_000, Redeemed: 6500, Payable: 123_500, Points: 6500,
		Lines: []Line{
			{ID: "1", SKU: "4601", Category: "coffee", Quantity: 1000, Price: 100_000, Amount: 100_000, Redeemed: 5000, Points: 5000},
			{ID: "2", SKU: "4602", Category: "cake", Quantity: 2000, Price: 15_000, Amount: 30_000, Redeemed: 1500, Points: 1500},
		},
		Pins: []LotPart{pin},
	}
	authorize := sale
	authorize.Kind, authorize.Hold, authorize.HoldUntil, authorize.Status = KindAuthorize, HoldSelf, tx.Now()+int64(day), "pending"
	authorize.Lots = []LotPart{{Active: pin.Active, Points: -pin.Points}}
	authorize.Dups = []DupRef{{Key: l.Hash("dup", card, "authorize"), New: true}}
	hold, err := tx.Append(&authorize)
	if err != nil {
		return err
	}
	confirm := sale
	confirm.Kind, confirm.Parent, confirm.Drop, confirm.Figures, confirm.Status = KindConfirm, hold, hold, hold, "confirmed"
	confirm.Legs[LegRedeemed] = pin.Points
	confirm.Dups = []DupRef{{Key: l.Hash("dup", card, "confirm"), New: true}}
	_, err = tx.Append(&confirm)
	return err
}

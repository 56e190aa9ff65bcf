package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// weeklyShopper is the account of a member who has bought once a week for the
// 400 days that sums are kept, under a programme that uses all it has: points
// that live three months and gifts with a term of their own, a rule that looks
// back over a quarter's units, promo codes, an every-sixth counter, a norm of
// operations, a purchase that waits for its confirm.
func weeklyShopper() *Account {
	day := int64(24 * time.Hour)
	now := 20500 * day
	a := &Account{
		ID: 0x0123456789abcdef, Merchant: "coffee-house", Registered: true, Created: now - 400*day, Joined: now - 399*day,
		Upline: []AccountID{1 << 62, 1 << 61, 1 << 60}, Through: now, Last: NewOpID(5, 123456), Tier: "Gold", TierUntil: now + 30*day,
		Lifetime: 5_700_000, Purchases: 57, LastPurchase: now, FirstPurchase: now - 399*day, Scheduled: now / second, Wake: now + 40*day,
	}
	for week := range int64(57) {
		at := now - (56-week)*7*day
		a.Days = append(a.Days, DaySum{Day: int32(at / day), Spent: 100_000 + week})
		if week >= 43 {
			a.Lots = append(a.Lots, LotPart{Active: at, Expires: at + 92*day, Points: 10_000})
			a.Counts = append(a.Counts, Count{Key: 0x8123456789abcdef, Bucket: int32(at / day), Value: 3000, At: at, Until: int32(at/day) + 92})
		}
	}
	a.Lots = append(a.Lots, LotPart{Active: now, Expires: now + 10*day, Points: 30_000, Own: true})
	for key := range uint64(6) {
		a.Counts = append(a.Counts, Count{Key: 0x9000000000000000 + key<<40, Value: 5, At: now})
	}
	a.Holds = []Hold{{
		ID: NewOpID(5, 123456), Op: NewOpID(5, 123456), Until: now + 15*minute, Pins: []LotPart{{Active: now, Expires: now + 92*day, Points: 5000}},
		Counts: []CountChange{{Count: Count{Key: 0x9000000000000000, Value: 1, At: now}, Line: 1}},
	}}
	return a
}

func TestAWeeklyShoppersAccountIsSmall(t *testing.T) {
	rec := appendAccount(nil, weeklyShopper())
	var a Account
	require.NoError(t, decodeAccount(rec, &a))
	require.Equal(t, weeklyShopper(), &a)
	t.Logf("%d bytes", len(rec))
	require.Less(t, len(rec), 1024)
}

func BenchmarkAccount(b *testing.B) {
	rec, a := appendAccount(nil, weeklyShopper()), &Account{}
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := decodeAccount(rec, a); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			rec = appendAccount(rec[:0], a)
		}
	})
}

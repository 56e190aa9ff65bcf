package processor

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

const cutOff = `
program: small
currency: KZT
timezone: Asia/Almaty
redeem: {with: [card], offline: {per_receipt: 10, per_day: 95}}
`

// took is a receipt on which a till that was cut off has taken points, minor
// units.
func (s *shop) took(card string, points int64, ago time.Duration) protocol.Request {
	r := s.sale(protocol.CallAccrue, byCard(card), 10_000, points)
	r.Offline = true
	r.At = protocol.Time{Unix: s.clock.Load() - int64(ago), Offset: 5 * 3600, Set: true}
	return r
}

// TestTheDaysLimitIsExact: forty tills come back at once, and each sends its
// receipts eight times. Of 95.00 points a day nine receipts of 10.00 are booked
// and no tenth, whatever was sent how often; 5.00 are left.
func TestTheDaysLimitIsExact(t *testing.T) {
	s := openShop(t, cutOff)
	s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 2500})
	const tills, copies = 40, 8
	list := make([]protocol.Request, tills)
	for i := range list {
		list[i] = s.took("4000001", 1000, time.Duration(i)*time.Second)
	}
	var wg sync.WaitGroup
	var said [tills][copies]string
	var booked atomic.Int64
	for c := range copies {
		wg.Go(func() {
			for i := range list {
				res := s.ask(list[(i+c*5)%tills])
				if said[(i+c*5)%tills][c] = wire(res); res.Code.OK() && !res.Replayed {
					booked.Add(1)
				}
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 9, booked.Load())
	for i := range said {
		for c := range copies {
			require.Equal(t, said[i][0], said[i][c])
		}
	}
	a := s.account(7)
	require.Equal(t, ledger.Balance{Deficit: -(9*1000 - 2500)}, a.Balance())

	over := s.ask(s.took("4000001", 501, 0))
	require.Equal(t, protocol.LimitExceededAmount, over.Code)
	require.Equal(t, fieldPoints, over.Field)
	require.EqualValues(t, 500, over.MaxPoints)
	require.Equal(t, protocol.Approved, s.ask(s.took("4000001", 500, 0)).Code)
	require.Equal(t, protocol.LimitExceededAmount, s.ask(s.took("4000001", 1, 0)).Code)
	require.Equal(t, protocol.Approved, s.ask(s.took("4000001", 1, 24*time.Hour)).Code, "yesterday's limit is untouched")
}

// TestALateReceiptFindsItsDayCounted: the counter of a day is there as long as
// a receipt of that day may come, though the member shops every day meanwhile.
func TestALateReceiptFindsItsDayCounted(t *testing.T) {
	s := openShop(t, cutOff+"backdate: 400d\n")
	s.enrol(7, "4000001", "")
	first := s.clock.Load()
	for range 9 {
		require.Equal(t, protocol.Approved, s.ask(s.took("4000001", 1000, 0)).Code)
	}
	for range 20 {
		s.later(19 * 24 * time.Hour)
		require.Equal(t, protocol.Approved, s.ask(s.took("4000001", 1, 0)).Code)
	}
	late := s.ask(s.took("4000001", 501, time.Duration(s.clock.Load()-first)))
	require.Equal(t, protocol.LimitExceededAmount, late.Code)
	require.EqualValues(t, 500, late.MaxPoints)
}

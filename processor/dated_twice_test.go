package processor

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

const dates = `
program: dates
currency: KZT
timezone: Asia/Almaty
earn: {rules: [{name: base, give: {percent: 10}}]}
events:
  - {event: registered, give: {points: 1}}
  - {event: birthday, days_before: 3, give: {points: 300}, lot: {expires_after: 10d}}
  - {event: birthday, name: leap, days_before: 0, give: {points: 5}, lot: {expires_after: 1d}}
  - {event: inactive, after: 30d, give: {points: 200}, lot: {expires_after: 7d}}
  - {event: inactive, name: gone, after: 1y, give: {points: 50}}
`

// given are the dated gifts of an account, oldest first.
func (s *shop) given(id ledger.AccountID) (list []string) {
	s.t.Helper()
	s.account(id)
	require.NoError(s.t, s.ledger.WaitSynced())
	a, err := s.ledger.Account(id)
	require.NoError(s.t, err)
	var op ledger.Operation
	for at := a.Last; at != 0; at = op.Prev {
		ok, err := s.ledger.Operation(at, &op)
		require.NoError(s.t, err)
		require.True(s.t, ok)
		if op.Kind == ledger.KindEvent && op.Status == "given" {
			for _, g := range op.Gifts {
				list = append([]string{fmt.Sprint(time.Unix(0, op.Due).In(almaty).Format("2006-01-02 15:04"), " ", g.Rule, " ", g.Part.Points, " until ", time.Unix(0, g.Part.Expires).In(almaty).Format("2006-01-02 15:04"))}, list...)
			}
		}
	}
	return list
}

// TestDatesFallDueOnceHoweverTheClockMoves: the same days with a look every
// day, with restarts, and in one jump.
func TestDatesFallDueOnceHoweverTheClockMoves(t *testing.T) {
	const days = 1100
	buys := map[int]bool{3: true, 40: true, 41: true, 90: true, 700: true}
	play := func(name string, look func(s *shop, day int)) (list []string) {
		t.Run(name, func(t *testing.T) {
			s := openShop(t, "")
			require.Equal(t, protocol.Approved, s.put("", dates).Code)
			r := s.member("+77010000001", "")
			born := "2000-02-29"
			r.Profile.Birthday = &born
			id := idOf(t, s.approved(r).Member.ID)
			for day := range days {
				s.clock.Store(morning.AddDate(0, 0, day).UnixNano())
				if buys[day] {
					s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 10000, 0))
				}
				look(s, day)
			}
			list = s.given(id)
			_, err := s.ledger.Verify(func(f ledger.Finding) { t.Error(f) })
			require.NoError(t, err)
		})
		return list
	}
	once := play("jump", func(*shop, int) {})
	for _, x := range once {
		t.Log(x)
	}
	require.Equal(t, once, play("daily", func(s *shop, _ int) { require.NoError(s.t, s.ledger.Sweep()) }))
	require.Equal(t, once, play("restarts", func(s *shop, day int) {
		if day%37 == 0 {
			s.shut()
			s.open()
		}
	}))
	require.Equal(t, once, play("republished", func(s *shop, day int) {
		if day%90 == 5 {
			require.Equal(s.t, protocol.Approved, s.put("", dates+fmt.Sprintf("backdate: %dh\n", 24+day%48)).Code)
			require.NoError(s.t, s.ledger.Sweep())
		}
	}))
}

package processor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLocalTimeFindsItsYear: DE12 and DE13 hold no year; the one that brings
// them nearest to the server's clock is meant.
func TestLocalTimeFindsItsYear(t *testing.T) {
	for _, one := range []struct{ name, now, date, clock, want string }{
		{"today", "2026-11-20 12:00", "1120", "115900", "2026-11-20 11:59:00"},
		{"last year's, after New Year", "2027-01-01 00:10", "1231", "235500", "2026-12-31 23:55:00"},
		{"next year's, before it", "2026-12-31 23:59", "0101", "000100", "2027-01-01 00:01:00"},
		{"a leap day in its year", "2028-03-01 12:00", "0229", "100000", "2028-02-29 10:00:00"},
		{"a leap day just after", "2029-01-10 12:00", "0229", "100000", "2028-02-29 10:00:00"},
		{"no month", "2026-11-20 12:00", "1320", "115900", ""},
		{"no day", "2026-11-20 12:00", "0231", "115900", ""},
		{"no hour", "2026-11-20 12:00", "1120", "240000", ""},
		{"letters", "2026-11-20 12:00", "11AB", "115900", ""},
		{"too short", "2026-11-20 12:00", "1120", "1159", ""},
		{"nothing", "2026-11-20 12:00", "", "", ""},
	} {
		t.Run(one.name, func(t *testing.T) {
			now, err := time.ParseInLocation("2006-01-02 15:04", one.now, almaty)
			require.NoError(t, err)
			at, ok := localTime(one.date, one.clock, now.UnixNano(), almaty)
			require.Equal(t, one.want != "", ok)
			if ok {
				require.Equal(t, one.want, time.Unix(0, at).In(almaty).Format("2006-01-02 15:04:05"))
			}
		})
	}
}

func FuzzLocalTime(f *testing.F) {
	f.Add("1120", "120000")
	f.Add("0229", "235959")
	f.Add("", "24")
	now := morning.UnixNano()
	f.Fuzz(func(t *testing.T, date, clock string) {
		at, ok := localTime(date, clock, now, almaty)
		if !ok {
			return
		}
		local := time.Unix(0, at).In(almaty)
		require.Equal(t, date, local.Format("0102"))
		require.Equal(t, clock, local.Format("150405"))
		require.Less(t, distance(at, now), int64(4*366*24*time.Hour))
	})
}

func TestOtherMonth(t *testing.T) {
	night := time.Date(2026, 11, 30, 23, 59, 0, 0, almaty).UnixNano()
	require.True(t, otherMonth(night, night+int64(time.Minute), almaty))
	require.False(t, otherMonth(night, night+int64(59*time.Second), almaty))
	require.False(t, otherMonth(night, night+int64(time.Minute), time.UTC), "in UTC it is still November")
}

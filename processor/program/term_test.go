package program

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func zone(t testing.TB, name string) *time.Location {
	z, err := time.LoadLocation(name)
	require.NoError(t, err)
	return z
}

func TestCivilAgreesWithTime(t *testing.T) {
	for day := int32(-200_000); day < 200_000; day += 13 {
		want := time.Unix(int64(day)*daySeconds, 0).UTC()
		y, m, d := civil(day)
		require.Equal(t, want.Format(time.DateOnly), time.Date(int(y), time.Month(m), int(d), 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
		require.Equal(t, day, dayNumber(y, m, d))
	}
}

// Zones whose clocks have done odd things: at midnight, by half an hour, by a
// whole day.
var oddZones = []string{
	"UTC", "Asia/Almaty", "Europe/Berlin", "America/Sao_Paulo", "Asia/Beirut", "Africa/Cairo",
	"Australia/Lord_Howe", "Pacific/Apia", "America/New_York", "Asia/Tehran", "America/Havana",
}

// TestDayStart asks second by second, which is slow and can't be wrong.
func TestDayStart(t *testing.T) {
	for _, name := range oddZones {
		z := zone(t, name)
		rapid.Check(t, func(t *rapid.T) {
			day := rapid.Int32Range(10_957, 21_000).Draw(t, "day")
			got := dayStart(day, z)
			require.GreaterOrEqual(t, LocalDay(got, z), day, name)
			require.Less(t, LocalDay(got-1, z), day+1, name)
			if LocalDay(got, z) == day { // else the whole day was skipped
				require.Less(t, LocalDay(got-int64(time.Second), z), day, "%s: it is the first moment of the day", name)
			}
		})
	}
}

func TestDaysWithoutMidnight(t *testing.T) {
	local := func(z *time.Location, at int64) string {
		return time.Unix(0, at).In(z).Format("2006-01-02 15:04 -0700")
	}
	sp := zone(t, "America/Sao_Paulo") // 2018-11-04: 00:00 became 01:00
	require.Equal(t, "2018-11-04 01:00 -0200", local(sp, dayStart(dayNumber(2018, 11, 4), sp)))
	require.Equal(t, "2018-02-18 00:00 -0300", local(sp, dayStart(dayNumber(2018, 2, 18), sp))) // 24:00 became 23:00
	apia := zone(t, "Pacific/Apia")                                                             // 2011-12-30 was skipped
	require.Equal(t, "2011-12-31 00:00 +1400", local(apia, dayStart(dayNumber(2011, 12, 30), apia)))
	berlin := zone(t, "Europe/Berlin")
	require.Equal(t, "2026-03-29 00:00 +0100", local(berlin, dayStart(dayNumber(2026, 3, 29), berlin)))
	require.Equal(t, "2026-03-30 00:00 +0200", local(berlin, dayStart(dayNumber(2026, 3, 30), berlin)))
}

// TestDayStartEverywhere walks every day of thirty years through every odd zone.
func TestDayStartEverywhere(t *testing.T) {
	for _, name := range oddZones {
		z := zone(t, name)
		for day := int32(10_957); day < 22_000; day++ {
			at := dayStart(day, z)
			if LocalDay(at, z) != day {
				require.Equal(t, "Pacific/Apia", name, "only there has a day been skipped")
				require.Equal(t, dayStart(day+1, z), at)
				continue
			}
			require.Less(t, LocalDay(at-1, z), day, "%s %d", name, day)
		}
	}
}

func TestLocalMoment(t *testing.T) {
	z := zone(t, "Asia/Almaty")
	a := &Almanac{zone: z}
	m := a.moment(time.Date(2026, 11, 22, 23, 59, 59, 999, z).UnixNano())
	require.Equal(t, moment{day: dayNumber(2026, 11, 22), minute: 1439, weekday: 6}, m)
	m = a.moment(time.Date(2026, 11, 23, 0, 0, 0, 0, z).UnixNano())
	require.Equal(t, moment{day: dayNumber(2026, 11, 23), weekday: 0}, m)
}

// TestTermsNeverOverflow: the longest terms at the last moment that is judged.
func TestTermsNeverOverflow(t *testing.T) {
	a := &Almanac{zone: zone(t, "Asia/Almaty")}
	for _, term := range []Term{{36_525, Days}, {1178, Months}, {99, Years}, {36_525 * 24, Hours}} {
		require.Greater(t, term.until(maxMoment, a), maxMoment)
		require.Less(t, term.since(maxMoment, a), maxMoment)
	}
}

// TestAlmanac: what it remembers is what the zone says.
func TestAlmanac(t *testing.T) {
	for _, name := range oddZones {
		z := zone(t, name)
		var a Almanac
		a.in(z)
		rapid.Check(t, func(t *rapid.T) {
			at := rapid.Int64Range(0, 1_900_000_000).Draw(t, "at") * second
			if rapid.Bool().Draw(t, "near a change") {
				start, _ := time.Unix(at/second, 0).In(z).ZoneBounds()
				if !start.IsZero() && start.Unix() > daySeconds {
					at = start.UnixNano() + rapid.Int64Range(-90_000, 90_000).Draw(t, "off")*second
				}
			}
			local := time.Unix(0, at).In(z)
			day := LocalDay(at, z)
			require.Equal(t, day, a.dayOf(at))
			require.Equal(t, dayStart(day, z), a.start(day))
			m := a.moment(at)
			require.EqualValues(t, local.Hour()*60+local.Minute(), m.minute, "%s %s", name, local)
			require.EqualValues(t, (int(local.Weekday())+6)%7, m.weekday)
		})
	}
}

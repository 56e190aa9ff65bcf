package program

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func grantOf(t *testing.T, zone, grant string) *Grant {
	t.Helper()
	p, problems := Compile([]byte(fmt.Sprintf(`
program: x
currency: EUR
timezone: %s
segments: [{name: all, when: {first_purchase: true}}]
grants: [{segment: all, name: g, give: {points: 1}, %s}]
`, zone, grant)))
	require.Empty(t, problems)
	return p.Grant("g")
}

// moments are the grant's first ones, as they are told by walking on.
func (g *Grant) moments(n int) (all []string) {
	for at := int64(0); len(all) < n; {
		if at = g.Next(at); at == 0 {
			break
		}
		all = append(all, time.Unix(0, at).In(g.zone).Format("2006-01-02 15:04 MST"))
	}
	return all
}

// E14: the moments of a grant go by the clocks and the calendar of the
// programme's zone.
func TestMomentsOfAGrant(t *testing.T) {
	for name, c := range map[string]struct {
		zone, grant string
		want        []string
	}{
		"once": {"Asia/Almaty", `at: "2027-03-08T10:00:00+05:00"`, []string{"2027-03-08 10:00 +05"}},
		"every day over the change to summer time, at an hour that is skipped": {
			"Europe/Berlin", `at: "2027-03-27T02:30:00+01:00", every: 1d`,
			[]string{"2027-03-27 02:30 CET", "2027-03-28 03:00 CEST", "2027-03-29 02:30 CEST"},
		},
		"every week over it: the clock stays": {
			"Europe/Berlin", `at: "2027-03-22T10:00:00+01:00", every: 7d`, []string{"2027-03-22 10:00 CET", "2027-03-29 10:00 CEST", "2027-04-05 10:00 CEST"},
		},
		"every day over the change back, at an hour that comes twice: its first": {
			"Europe/Berlin", `at: "2027-10-30T02:30:00+02:00", every: 1d`,
			[]string{"2027-10-30 02:30 CEST", "2027-10-31 02:30 CEST", "2027-11-01 02:30 CET"},
		},
		"that begins in the second of the two hours": {
			"Europe/Berlin", `at: "2027-10-31T02:30:00+01:00", every: 1d`, []string{"2027-10-31 02:30 CET", "2027-11-01 02:30 CET"},
		},
		"at a month's end": {
			"Asia/Almaty", `at: "2027-12-31T10:00:00+05:00", every: 1mo`,
			[]string{"2027-12-31 10:00 +05", "2028-01-31 10:00 +05", "2028-02-29 10:00 +05", "2028-03-31 10:00 +05", "2028-04-30 10:00 +05"},
		},
		"on 29 February": {
			"Asia/Almaty", `at: "2028-02-29T10:00:00+05:00", every: 1y`,
			[]string{"2028-02-29 10:00 +05", "2029-02-28 10:00 +05", "2030-02-28 10:00 +05", "2031-02-28 10:00 +05", "2032-02-29 10:00 +05"},
		},
		"every second month over the year's end": {
			"Asia/Almaty", `at: "2027-11-30T00:00:00+05:00", every: 2mo`, []string{"2027-11-30 00:00 +05", "2028-01-30 00:00 +05", "2028-03-30 00:00 +05"},
		},
		"until a day, which is included": {
			"Asia/Almaty", `at: "2027-01-01T23:59:59+05:00", every: 1d, until: 2027-01-02`, []string{"2027-01-01 23:59 +05", "2027-01-02 23:59 +05"},
		},
		"the offset of `at` is the writer's; its clock in the programme's zone counts": {
			"Asia/Almaty", `at: "2027-01-31T22:00:00Z", every: 1mo`, []string{"2027-02-01 03:00 +05", "2027-03-01 03:00 +05"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := grantOf(t, c.zone, c.grant)
			n := len(c.want)
			if g.Until() != 0 || g.Every() == "" {
				n++ // and no more
			}
			require.Equal(t, c.want, g.moments(n))
		})
	}
}

// Newest and Next agree, from a second before each moment to a second behind.
func TestNewestAndNextAgree(t *testing.T) {
	for _, grant := range []string{
		`at: "2027-01-31T02:30:00+01:00", every: 1mo`, `at: "2027-01-31T02:30:00+01:00", every: 1d`, `at: "2024-02-29T02:30:00+01:00", every: 1y`,
		`at: "2027-01-31T02:30:00+01:00", every: 13d, until: 2028-02-01`, `at: "2027-01-31T02:30:00+01:00"`,
	} {
		g := grantOf(t, "Europe/Berlin", grant)
		last, at := int64(0), g.Next(0)
		require.Equal(t, g.At(), at)
		for range 400 {
			if at > maxMoment {
				break
			}
			require.True(t, g.Has(at))
			require.False(t, g.Has(at-second))
			require.Equal(t, at, g.Newest(last, at))
			require.Zero(t, g.Newest(at, at), "after it, it is over")
			require.Equal(t, last, g.Newest(0, at-second))
			next := g.Next(at)
			if next == 0 {
				require.Equal(t, at, g.Newest(0, maxMoment), "the last one stays the newest")
				break
			}
			require.Equal(t, at, g.Newest(0, next-1))
			require.Less(t, at, next)
			last, at = at, next
		}
	}
}

// L6: until when points lapse that are to be told of now.
func TestWhatAReminderReaches(t *testing.T) {
	p, problems := Compile([]byte(`
program: x
currency: EUR
timezone: Europe/Berlin
remind: [{before_expiry: 7d}, {before_expiry: 1mo}, {before_expiry: 24h}]
`))
	require.Empty(t, problems)
	require.Equal(t, 3, p.Reminders())
	berlin := p.Zone()
	local := func(month time.Month, day, hour int) int64 {
		return time.Date(2027, month, day, hour, 0, 0, 0, berlin).UnixNano()
	}
	for _, c := range []struct {
		k      int
		now    int64
		before string
		until  int64
	}{
		// Points that are gone when 3 April ends lapse on the 4th at 00:00: that is told of from 28 March, a day of 23 hours.
		{0, local(3, 27, 23), "7d", local(4, 4, 0)},
		{0, local(3, 28, 0), "7d", local(4, 5, 0)},
		// A month before the 29th, 30th and 31st of March is 28 February.
		{1, local(2, 27, 12), "1mo", local(3, 28, 0)},
		{1, local(2, 28, 0), "1mo", local(4, 1, 0)},
		// Hours are exact, whatever clocks do.
		{2, local(3, 27, 12), "24h", local(3, 28, 13) + 1},
	} {
		before, until := p.Reminder(c.k, c.now)
		require.Equal(t, c.before, before)
		require.Equal(t, time.Unix(0, c.until).In(berlin).String(), time.Unix(0, until).In(berlin).String())
	}
}

// The name without one, the key of a moment, and the lot.
func TestWhatAGrantIsKnownBy(t *testing.T) {
	p, problems := Compile([]byte(`
program: x
currency: EUR
timezone: Asia/Almaty
lots: {active_after: 1d, expires_after: 1mo}
segments: [{name: risk, when: {last_purchase_before: 30d}}]
grants:
  - {segment: risk, at: "2027-03-07T20:00:00Z", give: {points: 300.50}}
  - {segment: risk, at: "2027-03-09T00:00:00+05:00", give: {points: 300}, lot: {expires_after: 14d}, reason: spring}
`))
	require.Empty(t, problems)
	g, other := &p.Grants()[0], p.Grant("risk 2027-03-09")
	require.Equal(t, "risk 2027-03-08", g.Name(), "the day is that of the programme's zone")
	require.Equal(t, "risk 2027-03-08", g.Reason())
	require.Equal(t, "spring", other.Reason())
	require.Equal(t, int64(30050), g.Points())
	require.NotEqual(t, GrantKey(g.Name(), g.At()), GrantKey(g.Name(), g.At()+second))
	require.NotEqual(t, GrantKey(g.Name(), g.At()), GrantKey(other.Name(), g.At()))
	day := func(month time.Month, day int) int64 {
		return time.Date(2027, month, day, 0, 0, 0, 0, p.Zone()).UnixNano()
	}
	require.Equal(t, EarnedLot{Points: 30050, Active: day(3, 9), Expires: day(4, 10)}, g.Lot(g.At()))
	require.Equal(t, EarnedLot{Points: 30000, Active: day(3, 10), Expires: day(3, 25), Own: true}, other.Lot(other.At()))
}

package day

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWeekdayIsPlayable(t *testing.T) {
	d, err := Parse(Weekday)
	require.NoError(t, err)
	require.Equal(t, "weekday", d.Name)
	require.NoError(t, Pairs(Members{Hot: true}).Validate())
}

func TestDaysThatCannotBePlayed(t *testing.T) {
	for says, document := range map[string]string{
		"unknown field":             "days: x",
		"at least one kind":         "baskets: [{lines: 1, share: 1}]",
		"they can't be more":        "requests: {authorize: 1, confirm: 1, void: 1}\nbaskets: [{lines: 1, share: 1}]",
		"only what was sold":        "requests: {accrue: 1, return: 2}\nbaskets: [{lines: 1, share: 1}]",
		"must not be negative":      "requests: {accrue: 1, quote: -1}\nbaskets: [{lines: 1, share: 1}]",
		"baskets must name":         "requests: {accrue: 1}",
		"baskets must have shares":  "requests: {accrue: 1}\nbaskets: [{lines: 1}]",
		"a basket has":              "requests: {accrue: 1}\nbaskets: [{lines: 51, share: 1}]",
		"redeem is a percentage":    "requests: {accrue: 1}\nredeem: 101\nbaskets: [{lines: 1, share: 1}]",
		"repeats is a percentage":   "requests: {accrue: 1}\nrepeats: 51\nbaskets: [{lines: 1, share: 1}]",
		"late must be":              "requests: {accrue: 1}\nlate: -1\nbaskets: [{lines: 1, share: 1}]",
		"members.zipf":              "requests: {accrue: 1}\nmembers: {zipf: 1}\nbaskets: [{lines: 1, share: 1}]",
		"by Zipf's law or are one,": "requests: {accrue: 1}\nmembers: {zipf: 2, hot: true}\nbaskets: [{lines: 1, share: 1}]",
	} {
		_, err := Parse([]byte(document))
		require.ErrorContains(t, err, says)
	}
}

// Over a day each kind gets its share, also one that is not always possible.
func TestSharesComeOut(t *testing.T) {
	d, err := Parse(Weekday)
	require.NoError(t, err)
	s := newSchedule(d.Requests, rand.New(rand.NewPCG(1, 2)))
	var n [actions]float64
	const requests = 100_000
	for range requests {
		n[s.next(func(k action) bool {
			switch k {
			case confirm, void, reverse:
				return n[confirm]+n[void]+n[reverse] < n[authorize]
			case giveBack:
				return n[giveBack] < n[confirm]
			}
			return true
		})]++
	}
	for k, w := range d.Requests.weights() {
		require.InDelta(t, w*requests/100, n[k], 20, action(k))
	}
}

// Where nothing that has a share is possible a till takes a hold.
func TestSomethingIsAlwaysNext(t *testing.T) {
	s := newSchedule(Requests{Confirm: 1}, rand.New(rand.NewPCG(1, 2)))
	require.Equal(t, authorize, s.next(func(k action) bool { return k != confirm }))
	require.Equal(t, confirm, s.next(func(action) bool { return true }))
}

func TestMembersAreDrawn(t *testing.T) {
	const members, draws = 10_000, 200_000
	count := func(m Members) (most int, some int) {
		d := newMembers(m, members, rand.New(rand.NewPCG(3, 4)))
		n := make([]int, members)
		for range draws {
			n[d.next()]++
		}
		for _, c := range n {
			most = max(most, c)
			if c > 0 {
				some++
			}
		}
		return most, some
	}
	most, some := count(Members{})
	require.Less(t, most, 60, "20 on average")
	require.Equal(t, members, some)
	// Of Zipf's law with 1.2 the first of 10,000 has 1 ÷ Σ k^-1.2 = 0.208.
	most, _ = count(Members{Zipf: 1.2})
	require.InDelta(t, 0.208, float64(most)/draws, 0.01)
	most, some = count(Members{Hot: true})
	require.Equal(t, draws, most)
	require.Equal(t, 1, some)
}

func TestRanksOfZipfAreDifferentMembers(t *testing.T) {
	for _, n := range []uint64{1000, 10_000, 65_536, 99_991} {
		seen := make([]bool, n)
		for rank := range n {
			at := rank * scatter % n
			require.False(t, seen[at], "two ranks are one member of %d", n)
			seen[at] = true
		}
	}
}

func TestBasketsAreWeighted(t *testing.T) {
	w := newWeighted([]Basket{{1, 3}, {2, 0}, {3, 1}})
	rng := rand.New(rand.NewPCG(5, 6))
	var n [3]float64
	for range 10_000 {
		n[w.next(rng)]++
	}
	require.InDelta(t, 7500, n[0], 200)
	require.Zero(t, n[1])
	require.InDelta(t, 2500, n[2], 200)
}

// Whatever is spent on whatever basket, a tenth of the rest is a whole number
// of hundredths, and points pay for less than the half that the programme
// allows.
func TestFiguresCanBeForetold(t *testing.T) {
	for lines := 1; lines <= maxLines; lines++ {
		total := basketTotal(lines)
		require.Zero(t, total%10_000)
		require.Zero(t, basketPoints(total)%1000)
		require.Less(t, basketPoints(total), total/2)
	}
	a := asked{total: 130_000, points: 10_000}
	require.Equal(t, int64(12_000), a.earned())
}

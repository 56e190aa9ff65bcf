package processor

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
)

func TestPointsAreSpentInOrder(t *testing.T) {
	var p purse
	p.load(&ledger.Account{Lots: []ledger.LotPart{
		{Active: 5, Expires: 20, Points: 10},
		{Active: 1, Expires: 30, Points: 10},
		{Active: 2, Expires: 30, Points: 10},
		{Active: 50, Expires: 60, Points: 99}, // pending
		{Active: 1, Points: 10},               // never ends
	}}, 10)
	require.EqualValues(t, 40, p.spendable())
	pins, missing := p.spend(35, nil)
	require.Zero(t, missing)
	require.Equal(t, []ledger.LotPart{
		{Active: 5, Expires: 20, Points: 10},
		{Active: 1, Expires: 30, Points: 10},
		{Active: 2, Expires: 30, Points: 10},
		{Active: 1, Points: 5},
	}, pins)
	_, missing = p.spend(6, nil)
	require.EqualValues(t, 1, missing)
}

// TestManyLotsAreMerged: the lot that ends first goes into the next one, and
// no point is lost or spendable later than it was.
func TestManyLotsAreMerged(t *testing.T) {
	a := &ledger.Account{}
	var total int64
	for i := range int64(maxLots + 20) {
		a.Lots = append(a.Lots, ledger.LotPart{Active: 1 + i%7, Expires: 1000 + i, Points: i + 1})
		total += i + 1
	}
	var p purse
	p.load(a, 100)
	p.earn(ledger.LotPart{Active: 90, Expires: 90000, Points: 5})
	var op ledger.Operation
	p.settle(&op)
	require.Len(t, p.lots, maxLots)
	require.Equal(t, total+5, sum(p.lots))
	require.EqualValues(t, 5, sum(op.Lots), "merging moves points, it makes none")
	var after purse
	after.load(a, 100)
	for _, l := range op.Lots {
		after.insert(l)
	}
	after.crowd()
	require.Equal(t, p.lots, after.lots)
}

// TestPendingLotsAreNotMergedIntoLaterOnes when another pair can be.
func TestPendingLotsAreNotMergedIntoLaterOnes(t *testing.T) {
	p := purse{now: 100, lots: []ledger.LotPart{
		{Active: 50, Expires: 200, Points: 1},
		{Active: 150, Expires: 300, Points: 1},
		{Active: 120, Expires: 400, Points: 1},
	}}
	require.Equal(t, 1, p.mergeable())
}

func TestTakeBackGoesOwnThenPendingThenAvailable(t *testing.T) {
	own := ledger.LotPart{Active: 3, Expires: 40}
	var p purse
	p.load(&ledger.Account{Lots: []ledger.LotPart{
		{Active: 1, Expires: 30, Points: 10},
		{Active: 3, Expires: 40, Points: 4},
		{Active: 90, Expires: 99, Points: 5},
	}}, 10)
	of := func(l ledger.LotPart, points int64) ledger.LotPart { l.Points = points; return l }
	require.Zero(t, p.takeBack(of(own, 6)))
	require.EqualValues(t, 0, p.lots[1].Points)
	require.EqualValues(t, 3, p.lots[2].Points)
	require.EqualValues(t, 2, p.takeBack(of(own, 15)))
}

// A sale's lots each give their own part before any other lot does.
func TestTakeBackGoesAllOwnLotsFirst(t *testing.T) {
	var p purse
	p.load(&ledger.Account{Lots: []ledger.LotPart{
		{Active: 1, Expires: 30, Points: 10},
		{Active: 5, Expires: 40, Points: 4, Own: true},
		{Active: 90, Expires: 99, Points: 5},
	}}, 10)
	require.Zero(t, p.takeBack(
		ledger.LotPart{Active: 90, Expires: 99, Points: 4},
		ledger.LotPart{Active: 5, Expires: 40, Points: 6, Own: true},
	))
	require.EqualValues(t, 0, p.lots[1].Points)
	require.EqualValues(t, 0, p.lots[2].Points, "4 of its own, 1 that the other had lost")
	require.EqualValues(t, 9, p.lots[0].Points)
}

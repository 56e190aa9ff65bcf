package ledger

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawOperation draws effects without looking at the account: most sequences
// ask for what isn't there now and then.
func drawOperation(t *rapid.T, a *Account, now int64) *Operation {
	hour := int64(time.Hour)
	part := func(label string) LotPart {
		return LotPart{
			Active:  rapid.SampledFrom([]int64{1, now - hour, now + hour, now + 2*hour}).Draw(t, label+" active"),
			Expires: rapid.SampledFrom([]int64{0, now + 3*hour, now + 4*hour}).Draw(t, label+" expires"),
			Own:     rapid.Bool().Draw(t, label+" own"),
			Points:  rapid.Int64Range(-50, 100).Draw(t, label+" points"),
		}
	}
	op := &Operation{Kind: KindAdjust, Account: 1, Time: now, ID: NewOpID(0, uint64(now))}
	for i := range rapid.IntRange(0, 3).Draw(t, "lots") {
		if i > 0 && len(a.Lots) > 0 { // often one that is there
			l := a.Lots[rapid.IntRange(0, len(a.Lots)-1).Draw(t, "which")]
			l.Points = -rapid.Int64Range(1, l.Points+1).Draw(t, "taken")
			op.Lots = append(op.Lots, l)
			continue
		}
		op.Lots = append(op.Lots, part("lot"))
	}
	if rapid.Bool().Draw(t, "hold") {
		op.Kind, op.Hold, op.HoldUntil = KindAuthorize, op.ID, now+rapid.Int64Range(1, 4).Draw(t, "until")*hour
		for range rapid.IntRange(0, 2).Draw(t, "pins") {
			op.Pins = append(op.Pins, part("pin"))
		}
	}
	if len(a.Holds) > 0 && rapid.Bool().Draw(t, "drop") {
		op.Drop = a.Holds[rapid.IntRange(0, len(a.Holds)-1).Draw(t, "which hold")].ID
	}
	op.Owed = rapid.Int64Range(-10, 5).Draw(t, "owed")
	op.Extend = rapid.SampledFrom([]int64{0, 0, now + 4*hour}).Draw(t, "extend")
	op.Spent = DaySum{Day: int32(rapid.IntRange(0, 900).Draw(t, "day")), Spent: rapid.Int64Range(-10, 10).Draw(t, "spent")}
	return op
}

func requireOrdered(t require.TestingT, a *Account) {
	for i, l := range a.Lots {
		require.Positive(t, l.Points)
		if i > 0 {
			require.Negative(t, a.Lots[i-1].Compare(l), "lots are ordered and no two are alike: %+v", a.Lots)
		}
	}
	for i := range a.Holds {
		for _, p := range a.Holds[i].Pins {
			require.Positive(t, p.Points)
		}
	}
	require.LessOrEqual(t, a.Deficit, int64(0))
	require.True(t, slices.IsSortedFunc(a.Days, func(x, y DaySum) int { return int(x.Day - y.Day) }))
	if n := len(a.Days); n > 0 {
		require.Less(t, a.Days[n-1].Day-a.Days[0].Day, int32(keepDays))
	}
}

func TestApplyKeepsTheBooksWhateverItIsGiven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := &Account{}
		now := int64(1000 * time.Hour)
		require.NoError(t, Apply(a, &Operation{Kind: KindEnrol, Account: 1, Time: now, ID: 1}))
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now += rapid.Int64Range(1, int64(2*time.Hour)).Draw(t, "later")
			var owed Operation
			for due(a, now, &owed, true) {
				applyStep(t, a, &owed)
			}
			applyStep(t, a, drawOperation(t, a, now))
		}
		// In the end everything comes due, and it ends.
		var owed Operation
		for n := 0; due(a, now+int64(1000*time.Hour), &owed, true); n++ {
			require.Less(t, n, 1000, "due records don't end")
			applyStep(t, a, &owed)
		}
		require.Empty(t, a.Holds)
		for _, l := range a.Lots {
			require.Zero(t, l.Expires)
		}
	})
}

// applyStep applies op the way Append does and compares with deliberately dumb
// bookkeeping: what each effect adds to the sum of all points.
func applyStep(t *rapid.T, a *Account, op *Operation) {
	if op.Time == 0 {
		op.Time = op.Due
	}
	if checkOperation(op) != nil {
		return
	}
	before := a.Balance()
	next, again := &Account{}, &Account{Lots: []LotPart{{Points: 9}}, Holds: []Hold{{Pins: []LotPart{{Points: 8}}}}}
	copyAccount(next, a)
	copyAccount(again, a)
	untouched := appendAccount(nil, a)
	err := Apply(next, op)
	require.Equal(t, untouched, appendAccount(nil, a), "a copy shares nothing")
	require.Equal(t, err == nil, Apply(again, op) == nil)
	if err != nil {
		require.Zero(t, op.Due, "what falls due can't be refused: %v", err)
		return
	}
	require.Equal(t, appendAccount(nil, next), appendAccount(nil, again), "the same record gives the same bytes")
	requireOrdered(t, next)
	after := next.Balance()
	dropped := int64(0)
	if h := a.Hold(op.Drop); h != nil {
		dropped = h.Held()
	}
	pinned := int64(0)
	if op.Hold != 0 {
		pinned = sum(op.Pins)
	}
	require.Equal(t, after.Available+after.Pending, before.Available+before.Pending+sum(op.Lots))
	require.Equal(t, after.Held, before.Held+pinned-dropped)
	require.Equal(t, after.Deficit, before.Deficit+op.Owed)
	if op.Due != 0 {
		op.setLegs(before, after)
		require.NoError(t, checkLegs(op), "due records balance by themselves: %+v", op)
	}
	*a = *next
}

func TestLotsEndInTheOrderOfTheirDates(t *testing.T) {
	day := int64(24 * time.Hour)
	a := &Account{ID: 1, Through: 10 * day}
	for _, l := range []LotPart{
		{Active: 1 * day, Points: 1},                               // never expires: last
		{Active: 5 * day, Expires: 30 * day, Points: 2},            // the same end, later
		{Active: 2 * day, Expires: 30 * day, Points: 3},            //
		{Active: 9 * day, Expires: 20 * day, Points: 4},            // ends first
		{Active: 2 * day, Expires: 30 * day, Points: 5},            // merges
		{Active: 2 * day, Expires: 30 * day, Points: 6, Own: true}, // a term of its own: stays apart
	} {
		require.True(t, addPart(&a.Lots, l))
	}
	points := func() (all []int64) {
		for _, l := range a.Lots {
			all = append(all, l.Points)
		}
		return all
	}
	require.Equal(t, []int64{4, 8, 6, 2, 1}, points())
	// A purchase extends what has no term of its own, and what then has the
	// same dates merges.
	require.NoError(t, Apply(a, &Operation{Kind: KindEvent, Account: 1, Time: 11 * day, ID: 1, Extend: 40 * day}))
	require.Equal(t, []int64{6, 8, 2, 4, 1}, points())
	require.False(t, addPart(&a.Lots, LotPart{Active: 9 * day, Expires: 40 * day, Points: -5}))
}

func TestAnAccountWithALotForEveryPurchaseStaysSmall(t *testing.T) {
	a := &Account{}
	require.NoError(t, Apply(a, &Operation{Kind: KindEnrol, Account: 1, Time: 1, ID: 1}))
	for i := range int64(10 * MaxLots) {
		require.NoError(t, Apply(a, &Operation{Kind: KindAccrue, Account: 1, Time: 2 + i, ID: 1, Lots: []LotPart{{Active: 2 + i, Points: 1}}}))
	}
	require.LessOrEqual(t, len(a.Lots), tidyLots)
	require.Equal(t, int64(10*MaxLots), a.Balance().Available)
	many := &Account{ID: 1}
	var err error
	for i := int64(1); err == nil; i++ {
		err = Apply(many, &Operation{Kind: KindAccrue, Account: 1, Time: i, ID: 1, Lots: []LotPart{{Active: 1, Expires: 1<<60 + i, Points: 1}}})
		require.LessOrEqual(t, i, int64(MaxLots+1), "the number of lots has no bound")
	}
	require.ErrorContains(t, err, "more than 1024 lots")
}

// Of a sale no more comes back than was sold: not as a whole, not of a line,
// not to a lot.
func TestAReturnAboveItsSaleIsRefused(t *testing.T) {
	line := Line{ID: "1", Quantity: 2000, Amount: 900, Redeemed: 300, Points: 300, Earned: 60}
	booked := Operation{
		ID: NewOpID(0, 7), Kind: KindRedeem, Account: 5, Total: 900, Redeemed: 300, Payable: 600, Points: 300, Earned: 60,
		Lines: []Line{line}, Pins: []LotPart{{Active: 1, Points: 300}},
	}
	half := Operation{
		Kind: KindReturn, Parent: booked.ID, Total: 450, Redeemed: 150, Payable: 300, Points: 150, Earned: 30,
		Lines: []Line{{ID: "1", Quantity: 1000, Amount: 450, Redeemed: 150, Points: 150, Earned: 30}}, Pins: []LotPart{{Active: 1, Points: 150}},
	}
	sold := func() *Sale {
		s := &Sale{}
		require.NoError(t, applySale(s, &booked))
		require.NoError(t, applySale(s, &half))
		return s
	}
	second := half
	require.NoError(t, applySale(sold(), &second))
	for what, more := range map[string]func(*Operation){
		"money":            func(op *Operation) { op.Payable++ },
		"points":           func(op *Operation) { op.Points++ },
		"points as money":  func(op *Operation) { op.Redeemed++ },
		"what was earned":  func(op *Operation) { op.Earned++ },
		"the sum":          func(op *Operation) { op.Total++ },
		"pieces of a line": func(op *Operation) { op.Lines[0].Quantity++ },
		"a line's sum":     func(op *Operation) { op.Lines[0].Amount++ },
		"another line":     func(op *Operation) { op.Lines[0].ID = "2" },
		"a lot's points":   func(op *Operation) { op.Pins[0].Points++ },
		"another lot":      func(op *Operation) { op.Pins[0].Active = 2 },
	} {
		op := half
		op.Lines, op.Pins = slices.Clone(half.Lines), slices.Clone(half.Pins)
		more(&op)
		require.Error(t, applySale(sold(), &op), what)
	}
	s := sold()
	require.NoError(t, applySale(s, &second))
	third := Operation{Kind: KindReturn, Parent: booked.ID, Payable: 1, Total: 1}
	require.Error(t, applySale(s, &third))
}

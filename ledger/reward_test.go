package ledger

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// posting opens a ledger whose courier is quick.
func posting(t *testing.T) (*Ledger, *handClock) {
	t.Helper()
	clock := newHandClock()
	o := quiet(vfs.NewMem(), clock)
	o.SweepEvery = 5 * time.Millisecond
	l := open(t, o)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l, clock
}

// reward sends points from one member's purchase to another, or with a
// negative number takes them back.
func reward(t *testing.T, l *Ledger, from, to AccountID, points int64) {
	t.Helper()
	must(t, l, 0, func(tx *Tx) error {
		op := &Operation{Kind: KindEvent, Account: from, At: tx.Now(), Transfers: []Transfer{{
			To: to, Rule: "referral", Parts: []LotPart{{Active: 1, Points: points}},
			Counts: []CountChange{{Count: Count{Key: 7, Value: points}}},
		}}}
		op.Legs[LegTransit], op.Legs[LegReferral] = points, -points
		_, err := tx.Append(op)
		return err
	})
}

// A reward says which rule gave it; one for a member who was erased goes back
// to where rewards come from, and so does what would be taken back of it.
func TestARewardForNobodyGoesBack(t *testing.T) {
	l, _ := posting(t)
	from, to := member(0), member(1)
	enrol(t, l, from)
	enrol(t, l, to)
	reward(t, l, from, to, 500)
	settle(t, l)
	a, err := l.Account(to)
	require.NoError(t, err)
	require.Equal(t, Balance{Available: 500}, a.Balance())
	require.Equal(t, []Count{{Key: 7, Value: 500}}, a.Counts)
	var in Operation
	found, err := l.Operation(a.Last, &in)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, []Rule{{Name: "referral", Points: 500}}, in.Rules)

	must(t, l, 1, func(tx *Tx) error {
		_, err := tx.Append(&Operation{Kind: KindErase, Account: to})
		return err
	})
	reward(t, l, from, to, 300)
	reward(t, l, from, to, -500)
	settle(t, l)
	a, err = l.Account(to)
	require.NoError(t, err)
	require.Equal(t, Balance{Available: 500}, a.Balance(), "what was there lapses by its own dates")
	proof := requireSound(t, l)
	require.Zero(t, proof.Legs[LegTransit])
	require.Equal(t, int64(-500), proof.Legs[LegReferral])
}

// What a return takes of a reward that is spent is owed or, where the programme
// says so, forgiven: and then not given again when the return is undone. What
// arrives with the taking is there to be taken.
func TestWhatIsTakenBackOfASpentRewardIsForgiven(t *testing.T) {
	l, _ := posting(t)
	from, to := member(0), member(1)
	enrol(t, l, from)
	enrol(t, l, to)
	sale := NewOpID(0, 1)
	send := func(forgive bool, parts ...int64) {
		t.Helper()
		must(t, l, 0, func(tx *Tx) error {
			tr := Transfer{To: to, Rule: "referral", Forgive: forgive, Sale: sale}
			op := &Operation{Kind: KindEvent, Account: from, At: tx.Now()}
			for i, n := range parts {
				tr.Parts = append(tr.Parts, LotPart{Active: int64(i) + 1, Points: n})
				op.Legs[LegTransit] += n
				op.Legs[LegReferral] -= n
			}
			op.Transfers = append(op.Transfers, tr)
			_, err := tx.Append(op)
			return err
		})
		settle(t, l)
	}
	has := func(want Balance, referral int64) {
		t.Helper()
		a, err := l.Account(to)
		require.NoError(t, err)
		require.Equal(t, want, a.Balance())
		require.Equal(t, referral, requireSound(t, l).Legs[LegReferral])
	}
	send(false, 500, -300) // of what has come just now
	has(Balance{Available: 200}, -200)
	send(false, -250)
	has(Balance{Deficit: -50}, 50)
	send(false, 150)
	has(Balance{Available: 100}, -100)
	send(true, -250) // 150 are forgiven
	has(Balance{}, 0)
	send(true, -20)
	has(Balance{}, 0)
	send(true, 250) // of 270 that were to be taken only 100 had been
	has(Balance{Available: 80}, -80)
	send(true, 20)
	has(Balance{Available: 100}, -100)
}

// The office gives up a parked transfer as a whole: its points leave transit
// with the record that decides, and no others do.
func TestAParkedTransferIsGivenUpAsAWhole(t *testing.T) {
	l, _ := posting(t)
	from := member(0)
	enrol(t, l, from)
	reward(t, l, from, member(1), 700) // nobody has this id
	var parked Parked
	eventually(t, "it is parked", func() bool {
		found := false
		require.NoError(t, l.ParkedAll(func(p *Parked) bool { parked, found = *p, true; return false }))
		return found
	})
	require.Equal(t, int64(700), parked.Points)
	giveUp := func(points int64) error {
		return do(t, l, 1, func(tx *Tx) error {
			op := &Operation{Kind: KindResolve, Target: parked.ID, Status: "rejected"}
			op.Legs[LegTransit], op.Legs[LegReferral] = -points, points
			_, err := tx.Append(op)
			return err
		})
	}
	require.Error(t, giveUp(600))
	require.NoError(t, giveUp(700))
	proof := requireSound(t, l)
	require.Zero(t, proof.Legs[LegTransit])
	require.Zero(t, proof.Legs[LegReferral])
}

// What is shared is counted also by a record that is about nobody, even by a
// decline; an account's own counters are not.
func TestADeclineAboutNobodyIsCounted(t *testing.T) {
	l, _ := posting(t)
	count := CountChange{Count: Count{Key: 9, Value: 1}, Shared: true}
	record := func(ch CountChange) error {
		return do(t, l, 2, func(tx *Tx) error {
			_, err := tx.Append(&Operation{Kind: KindReturn, Code: 25, Counts: []CountChange{ch}})
			return err
		})
	}
	require.NoError(t, record(count))
	require.NoError(t, record(count))
	count.Shared = false
	require.Error(t, record(count))
	must(t, l, 3, func(tx *Tx) error {
		total, err := tx.Shared(9, 0)
		require.Equal(t, int64(2), total)
		return err
	})
	requireSound(t, l)
}

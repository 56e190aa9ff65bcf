package processor

import (
	"slices"

	"tillgate/ledger"
	"tillgate/processor/program"
)

// Referral rewards: what a purchase brings those above the buyer travels with
// its record, as one transfer each. Beside it, two counters say what came of
// it: how much this friend has brought that member lies with the friend, so
// that a member with a million friends has a small account; what a member has
// got from all of them lies with the member.

// received counts what friends have brought a member, in hundredths of a
// point.
var received = program.CountKey("referral received")

// brought counts, in a friend's account, what its purchases have brought one
// of those above.
func brought(to ledger.AccountID) uint64 { return program.CountKey("referral brought", to.String()) }

// broughtBy reports whether a counter is one of what rewards have brought.
func broughtBy(rewards []ledger.Reward, key uint64) bool {
	return slices.ContainsFunc(rewards, func(w ledger.Reward) bool { return brought(w.To) == key })
}

// reward sends op's rewards to those above the member; with sign −1 it takes
// them back.
func reward(op *ledger.Operation, sign int64) {
	for i := range op.Rewards {
		w := &op.Rewards[i]
		part := w.Part
		part.Points *= sign
		op.Transfers = append(op.Transfers, ledger.Transfer{
			To: w.To, Rule: w.Rule, Parts: []ledger.LotPart{part}, Sale: saleOfReward(op),
			Counts: []ledger.CountChange{{Count: ledger.Count{Key: received, Value: part.Points}}},
		})
		op.Legs[ledger.LegTransit] += part.Points
		op.Legs[ledger.LegReferral] -= part.Points
		op.Counts = append(op.Counts, ledger.CountChange{Count: ledger.Count{Key: brought(w.To), Value: part.Points}})
	}
}

// saleOfReward is, of what returns take of rewards and give again, the sale: what
// was forgiven of it then is not given a second time.
func saleOfReward(op *ledger.Operation) ledger.OpID {
	if op.Kind == ledger.KindReturn || op.Kind == ledger.KindReverse {
		return op.Parent
	}
	return 0
}

// counterOf is what a counter of an account stands at.
func counterOf(a *ledger.Account, key uint64) int64 {
	i, found := slices.BinarySearchFunc(a.Counts, key, func(c ledger.Count, key uint64) int {
		switch {
		case c.Key < key:
			return -1
		case c.Key > key:
			return 1
		}
		return int(c.Bucket)
	})
	if !found {
		return 0
	}
	return a.Counts[i].Value
}

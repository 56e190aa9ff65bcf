package program

import "tillgate/protocol"

// maxReferralLevels is how many members above the buyer may be rewarded: as
// many as an account remembers.
const maxReferralLevels = 10

// The names under which referral points are booked.
const (
	RewardPercent = "referral"                // F1
	RewardFirst   = "referral_first_purchase" // F2
	GiftWelcome   = "welcome"                 // F3
)

// referral is what those who invite get, and what the invited get (F1–F3).
type referral struct {
	rates   []uint64 // of the friend's purchases, the nearest level first
	first   int64    // points for the friend's first purchase
	welcome int64    // points for the invited
}

// firstReward counts the reward for the first purchase in the buyer's account:
// a hold reserves it, so that of two at once one brings it.
var firstReward = CountKey("referral first purchase")

// FirstReward reports whether a counter reserves the reward for the first
// purchase.
func FirstReward(key uint64) bool { return key == firstReward }

// ReferralLevels is how many levels of members above the buyer are rewarded.
func (p *Program) ReferralLevels() int {
	if len(p.referral.rates) == 0 && p.referral.first > 0 {
		return 1
	}
	return len(p.referral.rates)
}

// welcome gives the invited what they are promised. The points may be spent at
// once, whatever delay purchases have, and live as long as earned ones.
func (j *judge) welcome() {
	points := j.p.referral.welcome
	if points == 0 || j.f.Above == 0 {
		return
	}
	lot := EarnedLot{Points: points}
	lot.Active, lot.Expires = lotDates(Term{}, j.p.lots.ExpiresAfter, j.at, &j.home)
	j.d.Gifts = append(j.d.Gifts, Gift{Rule: GiftWelcome, Lot: lot})
	j.d.Rules = append(j.d.Rules, protocol.RuleResult{Rule: GiftWelcome, Points: points})
}

// refer decides what the purchase brings those above the buyer: a percentage
// of the money paid for each level, each rounded down by itself, and once a
// fixed sum for the first purchase. The points have the dates of the
// programme's own lots.
//
// None of it stands in the buyer's answer: what others get is theirs to know.
func (j *judge) refer() {
	ref := &j.p.referral
	if j.f.Above == 0 || j.f.NoEarn || !j.f.Registered || len(ref.rates) == 0 && ref.first == 0 {
		return
	}
	lot := EarnedLot{}
	give := func(level int, rule string, points int64, fixed bool) {
		if points <= 0 {
			return
		}
		if lot.Active == 0 {
			lot.Active, lot.Expires = j.ownDates()
		}
		lot.Points = points
		j.d.Rewards = append(j.d.Rewards, Reward{Level: level, Rule: rule, Lot: lot, Fixed: fixed})
	}
	for i, rate := range ref.rates[:min(len(ref.rates), j.f.Above)] {
		points := share64(j.d.Total-j.d.Discount-j.d.RedeemedMoney, rate, rateUnit)
		give(i+1, RewardPercent, points-points%j.p.round, false)
	}
	if ref.first > 0 && j.f.FirstPurchase && j.d.Total > 0 && j.f.counted(firstReward, 0) == 0 {
		give(1, RewardFirst, ref.first, true)
		j.d.Counts = append(j.d.Counts, CountChange{Count: Count{Key: firstReward, Value: 1}})
	}
}

// referral reads who is rewarded for inviting.
func (c *compiler) referral(o object) {
	n := o.get("referral")
	if n == nil {
		return
	}
	b, ok := c.object("referral", n, "percent", "first_purchase", "welcome")
	if !ok {
		return
	}
	ref := &c.p.referral
	if !b.has("percent") && !b.has("first_purchase") && !b.has("welcome") {
		c.fail("referral", "say what inviting brings: percent: [10, 2, 1], first_purchase: 100 or welcome: 100")
	}
	list := b.list("percent")
	if b.has("percent") && (len(list) == 0 || len(list) > maxReferralLevels) {
		c.fail("referral.percent", "list 1 to %d percentages, the nearest level first: [10, 2, 1]", maxReferralLevels)
		return
	}
	for i, n := range list {
		rate, bad := scaled(n, 4)
		switch {
		case bad != "":
			c.fail(item("referral.percent", i), "%s", bad)
		case rate < 0 || rate > rateUnit:
			c.fail(item("referral.percent", i), "%s is out of range: write 0 to 100", n.text)
		}
		ref.rates = append(ref.rates, uint64(max(rate, 0)))
	}
	ref.first, ref.welcome = c.wholePoints(b, "first_purchase"), c.wholePoints(b, "welcome")
}

// wholePoints is a key's number of points, as the programme counts them.
func (c *compiler) wholePoints(b object, name string) int64 {
	points, _ := b.decimal(name, 2, 1, maxPoints)
	if points%c.p.round != 0 {
		c.fail(b.at(name), "the programme counts points in multiples of %s (points.round)", unscaled(c.p.round, 2))
	}
	return points
}

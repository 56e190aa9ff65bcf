package protocol

import "strconv"

// WhatIf is what a draft of a programme would have made of a merchant's real
// receipts: see docs/whatif.md for what is assumed. Money is in minor units,
// points in hundredths.
type WhatIf struct {
	Program  string // the draft's name
	From, To int64  // unix ns: what was booked in [From, To); From 0 is the beginning of the books, if all of them are kept

	// Receipts are the sales booked in the period; Members those who made them.
	Receipts, Members WhatIfShares

	Real, Draft WhatIfFigures
	Rules       []WhatIfRule

	// Guessed counts what could not be replayed and was taken as it really was
	// or left out.
	Guessed WhatIfGuessed
	// Unknown are the places of the draft that ask for what the books don't
	// tell, each with what was taken instead.
	Unknown []Problem
}

// WhatIfShares is how many are better and worse off under the draft: a receipt
// by what it takes off and the worth of what it earns, a member by what was
// taken off, what was paid in points and the worth of the points owned at the
// end.
type WhatIfShares struct {
	Total, Better, Worse int64
}

// WhatIfFigures are the sums of a period, less what returns took back.
type WhatIfFigures struct {
	Payable       int64 // paid in money
	Discount      int64 // money off: the discounts' cost
	Earned        int64 // points of purchases
	Gifts         int64 // points given beside purchases, by promo codes, events and by hand
	Rewards       int64 // points for having invited the buyers
	Redeemed      int64 // points spent
	RedeemedMoney int64 // the same in money
	Expired       int64 // points that lapsed
	Liability     int64 // points owned by members at the end, spendable or not
	Worth         int64 // the same in money
	Owed          int64 // points that members owe at the end
}

// WhatIfRule is one rule's own figures over all receipts, before returns. A
// rule that only one side has stands with zeros on the other.
type WhatIfRule struct {
	Rule        string
	Real, Draft WhatIfRuleFigures
}

// WhatIfRuleFigures are a rule's figures: on how many receipts it gave
// something, points and money off.
type WhatIfRuleFigures struct {
	Receipts, Points, Discount int64
}

// WhatIfGuessed counts what the replay could not do as the switch would.
type WhatIfGuessed struct {
	Forgotten int64 // returns and confirms of sales too long ago to be remembered: taken as they really were, or decided anew
	Declined  int64 // receipts that the draft would decline: sold without it
	Moved     int64 // points that came from other accounts (rewards, merges): taken as they really came
	Older     int64 // members whose history begins before what is kept of the journal: left out
}

// Minus are the differences to other figures.
func (f WhatIfFigures) Minus(g WhatIfFigures) WhatIfFigures {
	return WhatIfFigures{
		Payable: f.Payable - g.Payable, Discount: f.Discount - g.Discount,
		Earned: f.Earned - g.Earned, Gifts: f.Gifts - g.Gifts, Rewards: f.Rewards - g.Rewards,
		Redeemed: f.Redeemed - g.Redeemed, RedeemedMoney: f.RedeemedMoney - g.RedeemedMoney,
		Expired: f.Expired - g.Expired, Liability: f.Liability - g.Liability,
		Worth: f.Worth - g.Worth, Owed: f.Owed - g.Owed,
	}
}

// Minus are the differences to other figures.
func (f WhatIfRuleFigures) Minus(g WhatIfRuleFigures) WhatIfRuleFigures {
	return WhatIfRuleFigures{Receipts: f.Receipts - g.Receipts, Points: f.Points - g.Points, Discount: f.Discount - g.Discount}
}

// Percent is a part of a whole in percent as text, rounded half up to two
// places: "12.50". Of nothing it is "0.00".
func Percent(part, whole int64) string {
	if whole <= 0 {
		return "0.00"
	}
	n := (part*20_000 + whole) / (2 * whole)
	return strconv.FormatInt(n/100, 10) + "." + string([]byte{'0' + byte(n/10%10), '0' + byte(n%10)})
}

package program

import "tillgate/protocol"

// RulePrinted is the name under which a decision tells what a till that was cut
// off has taken off a receipt by itself.
const RulePrinted = "printed"

// asPrinted decides about a receipt of a till that was cut off and that says
// which sum of money was printed. The buyer has paid it, and no price changes
// any more: no discount of the programme acts. The points are measured by what
// was rung up; what is missing beside points and money was taken off by the
// till, and is spread over what the points leave of the lines, by what they
// cost. It reports whether the decision stands: points and money may not be more
// than the receipt, unless the office says that it is to be booked.
func (j *judge) asPrinted() bool {
	paid := j.r.Printed.Payable
	if j.r.Redeem.Mode == protocol.RedeemPoints && !j.f.NoRedeem {
		paid += j.p.Money(j.r.Redeem.Points)
	}
	if paid > j.d.Total && !j.f.Agreed {
		return j.refuse(protocol.InvalidAmount, "points and money as printed are more than the receipt")
	}
	j.promised()
	if !j.redeemed() {
		return false
	}
	cut := max(j.d.Total-j.r.Printed.Payable-j.d.RedeemedMoney, 0)
	for i, points := range j.money {
		j.caps[i] = j.net[i] - points
	}
	spread(cut, j.net, j.caps, j.out, j.rests)
	j.lower(cut)
	j.d.Rules = append(j.d.Rules, protocol.RuleResult{Rule: RulePrinted, Discount: cut, Lines: j.perLine(false)})
	if cut > 0 {
		j.usedByTill()
	}
	return true
}

// promised notes the rules that count units across receipts: the units are
// sold, and counted, though none of them is made free here.
func (j *judge) promised() {
	rules := j.p.discounts.rules
	for k := range rules {
		if r := &rules[k]; r.across && j.f.Present && j.holds(r.when, "") && !j.absent(r.goods) {
			j.nth = append(j.nth, k)
		}
	}
}

// usedByTill notes that the promo codes which take something off are used: those
// that cut the receipt by themselves, and those that a discount asks for which
// would act on it. Nobody knows what the till has given for which of them, and
// none may be used more often than its limit says.
func (j *judge) usedByTill() {
	j.sum = j.d.Total
	for k := range j.codes {
		if s := &j.codes[k]; s.refused == PromoUsable {
			e := &j.p.promos[j.f.Promos[k].Entry]
			s.opened = s.opened || e.cuts() && !j.absent(e.goods)
		}
	}
	rules := j.p.discounts.rules
	for k := range rules {
		if r := &rules[k]; j.holds(r.when, "") && !j.absent(r.goods) {
			j.opens(r.when)
		}
	}
}

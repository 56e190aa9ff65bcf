package program

import (
	"math"

	"tillgate/protocol"
)

// redeemed decides what is paid with points: identification (55), then mode,
// goods and cap (57), then the balance (51). The guard's limits come after it
// (61, 65); "max" and "partial" keep within them. It reports whether the
// decision stands.
func (j *judge) redeemed() bool {
	asked := j.r.Redeem
	wants := !j.f.NoRedeem && (asked.Mode == protocol.RedeemMax || asked.Mode == protocol.RedeemPoints && asked.Points > 0)
	if why := j.tooWeak(); why != "" {
		if wants {
			return j.refuse(protocol.IdentificationTooWeak, why)
		}
		return true
	}
	if wants && j.r.Offline {
		return j.redeemedOffline(asked)
	}
	if !j.p.redeem.present {
		if wants && asked.Mode == protocol.RedeemPoints && !asked.Partial {
			return j.refuse(protocol.RedeemNotAllowed, "the programme lets nobody pay with points")
		}
		return true
	}
	if j.f.NoRedeem {
		return true
	}
	allowed := j.p.Points(j.spendable())
	take := min(allowed, max(j.f.Available, 0))
	most := min(take, j.allowance())
	j.d.MaxRedeem = j.p.Price(j.p.Money(most))
	if !wants {
		return true
	}
	switch {
	case asked.Mode == protocol.RedeemMax, asked.Partial && asked.Points > most:
		take = most
	case asked.Points <= take: // above what the guard lets pass it declines
		take = asked.Points
	case asked.Points > allowed:
		return j.refuse(protocol.RedeemNotAllowed, "the programme allows fewer points on this receipt")
	default:
		return j.refuse(protocol.InsufficientPoints, "the member has fewer points")
	}
	return j.take(take, asked)
}

// take takes points and spreads them over the lines. It reports whether the
// decision stands.
func (j *judge) take(points int64, asked protocol.Redeem) bool {
	j.d.RedeemedMoney = j.p.Money(points)
	j.d.Redeemed = j.p.Price(j.d.RedeemedMoney)
	if asked.Mode == protocol.RedeemPoints && j.d.Redeemed < asked.Points {
		if !asked.Partial { // the number is exact, and a part of it would buy nothing
			j.d.MaxRedeem = min(j.d.MaxRedeem, j.d.Redeemed)
			j.d.RedeemedMoney, j.d.Redeemed = 0, 0
			return j.refuse(protocol.RedeemNotAllowed, "no sum of money is worth exactly so many points; ask for fewer, or for as many as are allowed")
		}
		j.d.Code = protocol.Partial
	}
	spread(j.d.RedeemedMoney, j.weights, j.caps, j.money, j.rests)
	return true
}

// redeemedOffline decides about points that a till has taken while it was cut
// off. The receipt is printed: they are taken as they stand there or not at
// all, and the balance is not asked, because what is missing is owed. The
// shop's limit bounds that risk; identification, goods and caps the till could
// look at by itself.
func (j *judge) redeemedOffline(asked protocol.Redeem) bool {
	limit := j.p.redeem.offline
	allowed := j.p.Points(j.spendable())
	left := min(limit.perReceipt, max(limit.perDay-j.f.counted(offlineKey, j.offlineDay()), 0))
	most := allowed
	if !j.f.Agreed {
		most = min(most, left)
	}
	j.d.MaxRedeem = j.p.Price(j.p.Money(most))
	switch {
	case !j.p.redeem.present:
		return j.refuse(protocol.RedeemNotAllowed, "the programme lets nobody pay with points")
	case asked.Mode != protocol.RedeemPoints:
		return j.refuse(protocol.RedeemNotAllowed, "a receipt from a till that was cut off says how many points it has taken")
	case limit.perDay == 0 && !j.f.Agreed:
		return j.refuse(protocol.RedeemNotAllowed, "the programme lets a till that is cut off take no points")
	case asked.Points > allowed:
		return j.refuse(protocol.RedeemNotAllowed, "the programme allows fewer points on this receipt")
	case asked.Points > most:
		j.d.Field = redeemPoints
		return j.refuse(protocol.LimitExceededAmount, "the programme lets a till that is cut off take fewer points")
	}
	asked.Partial = false
	if !j.take(asked.Points, asked) {
		return false
	}
	if limit.perDay > 0 && j.d.Redeemed > 0 {
		day := j.offlineDay()
		j.d.Counts = append(j.d.Counts, CountChange{Count: Count{
			Key: offlineKey, Bucket: day, Value: j.d.Redeemed, Until: day + maxWindow + 1,
		}})
	}
	return true
}

// offlineKey is the counter of the points that a member has spent on offline
// receipts of a day. It is kept for as long as any programme may let a receipt
// be late ([Program.Backdate]), or one that comes later would find it empty.
var offlineKey = CountKey("redeemed offline")

// offlineDay is the day that an offline receipt counts for: its own, local. A
// till that was cut off for a weekend posts all of it on Monday.
func (j *judge) offlineDay() int32 { return j.days.moment(j.at).day }

// redeemPoints is the request's field that says how many points to redeem.
const redeemPoints = "redeem.points"

// tooWeak says why this caller can't spend this member's points; "" if they
// can.
func (j *judge) tooWeak() string {
	switch {
	case !j.f.Present:
		return "points are spent by a member, and none is named"
	case !j.f.Registered:
		return "the member must register before spending"
	}
	ok := false
	switch j.f.Identified {
	case protocol.ByID:
		ok = j.f.SpendByID
	case protocol.ByCard:
		ok = j.p.redeem.card || !j.p.redeem.present
	case protocol.ByCode:
		ok = j.p.redeem.code || !j.p.redeem.present
	}
	if ok {
		return ""
	}
	return "this identification only earns; ask for the member's card or one-time code"
}

// spendable is the money that points may pay on this receipt, whatever the
// balance. It leaves each line's weight and cap for the spreading.
func (j *judge) spendable() int64 {
	rr := &j.p.redeem
	j.sum = j.d.Total - j.d.Discount
	j.lineCaps()
	var payable, eligible, room int64
	never := j.banned(rr.never)
	weights, caps := j.weights[:len(j.net)], j.caps[:len(j.net)]
	for i, net := range j.net {
		payable += net
		if never.has(i) {
			weights[i], caps[i] = 0, 0
			continue
		}
		eligible += net
		weights[i], caps[i] = net, max(min(caps[i], net-rr.floor), 0)
		room += caps[i]
	}
	if rr.eligible {
		payable = eligible
	}
	return min(share64(payable, j.receiptCap(), rateUnit), room)
}

// receiptCap is the receipt's cap: the first of `caps` without goods whose
// conditions hold, else `cap`.
func (j *judge) receiptCap() uint64 {
	rr := &j.p.redeem
	for i := range rr.caps {
		if c := &rr.caps[i]; c.goods == all && j.holds(c.when, c.name) {
			j.opens(c.when)
			for k := i + 1; k < len(rr.caps) && j.r.Explain; k++ {
				if rr.caps[k].goods == all {
					j.skip(rr.caps[k].name, becauseEarlierCap)
				}
			}
			return c.rate
		}
	}
	return rr.cap
}

const becauseEarlierCap = "an earlier cap of the list is used"

// lineCaps finds each line's own ceiling: the first of `caps` with goods that
// holds for this receipt and picks the line.
func (j *judge) lineCaps() {
	const none = math.MaxInt64
	for i := range j.caps {
		j.caps[i] = none
	}
	rr := &j.p.redeem
	for k := range rr.caps {
		c := &rr.caps[k]
		if c.goods == all || !j.applies(c.when, c.goods, c.name) {
			continue
		}
		for i := range j.on(c.goods).each {
			if j.caps[i] == none {
				j.caps[i] = share64(j.net[i], c.rate, rateUnit)
			}
		}
	}
}

// share64 is the floor of sum × rate ÷ unit.
func share64(sum int64, rate, unit uint64) int64 {
	q, _ := mul64(uint64(sum), rate).div(unit)
	return int64(q)
}

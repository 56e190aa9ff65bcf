package program

import (
	"slices"

	"tillgate/protocol"
)

// Evaluate judges a receipt: discounts, then redemption, then earning on what
// is paid in money. at is the moment that is judged, as the processor has
// decided it (the request's own or the server's), unix ns. d is reset first;
// if it is reused nothing is allocated.
//
// It trusts nothing: a receipt whose amounts are negative, don't add up to a
// stated total or exceed [MaxAmount] is declined with InvalidAmount, one of
// more than [MaxLines] lines with InvalidRequest. A declined decision still
// names MaxRedeem.
func Evaluate(p *Program, f *Facts, r *protocol.Request, at int64, d *Decision) {
	d.Reset()
	j := &d.scratch.judge
	j.begin(p, f, r, clampMoment(at), d)
	defer j.end()
	if !j.measure() {
		return
	}
	j.pick()
	j.tierNow()
	j.promos()
	if !j.priced() || !j.guarded() {
		return
	}
	j.earn()
	j.purchaseEvents()
	j.redeemCodes()
	j.tally()
	j.hints()
	j.refer()
	j.finish()
}

// scratch is what a Decision keeps between evaluations.
type scratch struct {
	judge judge
}

// begin takes the arguments over and gives every per-line slice its length.
func (j *judge) begin(p *Program, f *Facts, r *protocol.Request, at int64, d *Decision) {
	j.p, j.f, j.r, j.d = p, f, r, d
	j.at, j.now = at, at
	j.days.in(p.inZone(f.Zone))
	j.home.in(p.zone)
	if f.Now != 0 {
		j.now = clampMoment(f.Now)
	}
	j.localDone, j.asking, j.registers = false, 0, false
	j.spans = [2]span{}
	j.codes, j.nth, j.given, j.shown = j.codes[:0], j.nth[:0], j.given[:0], j.shown[:0]
	j.lines = r.Lines
	if len(j.lines) == 0 {
		j.anonymous[0] = protocol.Line{Quantity: 1000, Price: r.Total, Amount: r.Total}
		j.lines = j.anonymous[:]
	}
	n := len(j.lines)
	j.slab = resize(j.slab, 10*n)
	slab := j.slab
	cut := func() []int64 {
		s := slab[:n:n]
		slab = slab[n:]
		return s
	}
	j.net, j.room, j.cut, j.money, j.base = cut(), cut(), cut(), cut(), cut()
	j.earned, j.units, j.weights, j.caps, j.out = cut(), cut(), cut(), cut(), cut()
	j.rests = sized(j.rests, n)
	d.HoldSeconds = p.holdDefault
	switch {
	case r.HoldSeconds > p.holdMax:
		d.HoldSeconds = p.holdMax
		d.Warnings = append(d.Warnings, "the hold ends sooner than asked for: the programme allows no longer one")
	case r.HoldSeconds > 0:
		d.HoldSeconds = r.HoldSeconds
	}
}

// end forgets the arguments, so that a kept Decision keeps nothing else alive.
func (j *judge) end() {
	j.p, j.f, j.r, j.d, j.lines = nil, nil, nil, nil, nil
	j.anonymous[0] = protocol.Line{}
}

// refuse ends a decision with a decline.
func (j *judge) refuse(code protocol.Code, detail string) bool {
	j.d.Code, j.d.Detail = code, detail
	return false
}

// measure takes the amounts of the lines and their total.
func (j *judge) measure() bool {
	if len(j.lines) > MaxLines {
		return j.refuse(protocol.InvalidRequest, "a receipt may have up to 500 lines")
	}
	var total int64
	net, units := j.net[:len(j.lines)], j.units[:len(j.lines)]
	for i := range j.lines {
		l := &j.lines[i]
		if l.Amount < 0 || l.Amount > MaxAmount || l.Quantity < 0 || l.Quantity > maxUnits*1000 {
			return j.refuse(protocol.InvalidAmount, "an amount or quantity is out of range")
		}
		net[i], units[i] = l.Amount, wholeUnits(l)
		total += l.Amount
	}
	if total > MaxAmount {
		return j.refuse(protocol.InvalidAmount, "the receipt's total is out of range")
	}
	if j.r.Total != 0 && j.r.Total != total {
		return j.refuse(protocol.InvalidAmount, "the lines do not add up to the total")
	}
	j.d.Total = total
	return true
}

// finish writes the lines of the answer.
func (j *judge) finish() {
	d := j.d
	d.Payable = d.Total - d.Discount - d.RedeemedMoney
	if j.f.Present {
		d.ExtendTo = j.p.extendTo(j.at, &j.days)
	}
	if len(j.r.Lines) == 0 {
		return
	}
	d.LinePoints = append(d.LinePoints, j.money...)
	if j.p.value != valueUnit {
		spread(d.Redeemed, j.money, nil, d.LinePoints, j.rests)
	}
	j.pieces = slices.Grow(j.pieces[:0], 2*len(j.lines)) // so that none moves
	n := len(j.lines)
	d.Lines = slices.Grow(d.Lines, n)[:n]
	lines, cut, money, earned, units := d.Lines, j.cut[:n], j.money[:n], j.earned[:n], j.units[:n]
	for i := range j.lines {
		l, one := &j.lines[i], &lines[i]
		one.ID, one.Amount, one.Quantity = l.ID, l.Amount, l.Quantity
		one.Discount, one.Redeemed, one.Earned = cut[i], money[i], earned[i]
		one.Payable = l.Amount - cut[i] - money[i]
		one.Points, one.Pieces = 0, nil
		if units := units[i]; units > 1 && (one.Payable != l.Amount || l.Amount%units != 0) {
			from := len(j.pieces)
			j.pieces = Pieces(j.pieces, one.Payable, l.Quantity)
			one.Pieces = j.pieces[from:len(j.pieces):len(j.pieces)]
		}
	}
}

package protocol

// sale renders the answer to a quote, a hold, a booked sale or a step.
func (e *encoder) sale(r *Response) {
	if r.Accepted {
		e.outcome(r) // parked: there are no figures yet
		return
	}
	e.open('{')
	e.textOrNull("id", r.ID)
	e.textOrNull("status", r.Status)
	e.number("program_version", int64(r.ProgramVersion))
	e.buyer(r)
	e.number("total", r.Total)
	e.number("discount", r.Discount)
	e.redeemed(r.Redeemed, r.RedeemedMoney)
	e.number("payable", r.Payable)
	e.saleLines(r.Lines)
	e.begin("earned", '{')
	e.number("points", r.Earned)
	e.lots(r.EarnedLots)
	e.close('}')
	e.rules(r.Rules)
	e.promo(r.Promo)
	if len(r.Skipped) > 0 {
		e.skipped(r.Skipped)
	}
	if r.Call == CallGetAuthorization {
		e.begin("returned", '{')
		e.number("payable", r.Returned.Payable)
		e.number("redeemed", r.Returned.Redeemed)
		e.number("earned", r.Returned.Earned)
		e.close('}')
	}
	e.balance(r)
	e.number("max_redeem", r.MaxRedeem)
	e.hints(r.Hints)
	e.texts("warnings", r.Warnings)
	e.moment("expires_at", r.ExpiresAt)
	e.texts("slip", r.Slip)
	e.close('}')
}

// buyer renders who buys; the name stands only in a quote, because booked
// answers are rendered from operations, which hold no names.
func (e *encoder) buyer(r *Response) {
	if !r.HasMember {
		e.null("member")
		return
	}
	e.begin("member", '{')
	e.text("id", r.Member.ID)
	e.textOrNull("tier", r.Member.Tier)
	if r.Member.Card == "" {
		e.null("card")
	} else {
		e.key("card")
		e.dst = append(MaskCard(append(e.dst, '"'), r.Member.Card), '"')
	}
	if r.Call == CallQuote && r.Member.Name != "" {
		e.text("name", r.Member.Name)
	}
	e.close('}')
}

// redeemed renders points spent, and beside them their money where a point is
// not worth one unit.
func (e *encoder) redeemed(points, money int64) {
	e.number("redeemed", points)
	if money != points {
		e.number("redeemed_money", money)
	}
}

func (e *encoder) saleLines(lines []LineResult) {
	e.begin("lines", '[')
	for i := range lines {
		l := &lines[i]
		e.open('{')
		e.text("id", l.ID)
		e.number("amount", l.Amount)
		e.number("discount", l.Discount)
		e.redeemed(l.Points, l.Redeemed)
		e.number("payable", l.Payable)
		e.number("earned", l.Earned)
		if len(l.Pieces) > 0 {
			e.pieces(l.Pieces)
		}
		e.close('}')
	}
	e.close(']')
}

func (e *encoder) pieces(pieces []Piece) {
	e.begin("pieces", '[')
	for _, p := range pieces {
		e.open('{')
		e.quantity("quantity", p.Quantity)
		e.number("price", p.Price)
		e.close('}')
	}
	e.close(']')
}

func (e *encoder) lots(lots []LotView) {
	e.begin("lots", '[')
	for _, l := range lots {
		e.open('{')
		e.number("points", l.Points)
		e.instant("active_at", l.Active)
		e.instant("expires_at", l.Expires)
		e.close('}')
	}
	e.close(']')
}

// rules renders each rule's own figure: points, and money off for a discount.
func (e *encoder) rules(rules []RuleResult) {
	e.begin("rules", '[')
	for _, x := range rules {
		e.open('{')
		e.text("rule", x.Rule)
		e.number("points", x.Points)
		if x.Discount != 0 {
			e.number("discount", x.Discount)
		}
		if len(x.Lines) > 0 {
			e.ruleLines(x.Lines)
		}
		e.close('}')
	}
	e.close(']')
}

// ruleLines renders, for `explain`, a rule's figure line by line.
func (e *encoder) ruleLines(lines []RuleLine) {
	e.begin("lines", '[')
	for _, l := range lines {
		e.open('{')
		e.text("id", l.ID)
		if l.Discount != 0 {
			e.number("discount", l.Discount)
		} else {
			e.number("points", l.Points)
		}
		e.close('}')
	}
	e.close(']')
}

func (e *encoder) promo(promo []PromoResult) {
	e.begin("promo", '[')
	for _, x := range promo {
		e.open('{')
		e.text("code", x.Code)
		e.number("points", x.Points)
		if x.Discount != 0 {
			e.number("discount", x.Discount)
		}
		if x.Tier != "" {
			e.text("tier", x.Tier)
		}
		if x.Refused != "" {
			e.text("refused", x.Refused)
		}
		e.close('}')
	}
	e.close(']')
}

// skipped renders, for `explain`, the rules that did not apply.
func (e *encoder) skipped(skipped []Skipped) {
	e.begin("skipped", '[')
	for _, x := range skipped {
		e.open('{')
		e.text("rule", x.Rule)
		e.text("because", x.Because)
		e.close('}')
	}
	e.close(']')
}

func (e *encoder) hints(hints []Hint) {
	e.begin("hints", '[')
	for _, x := range hints {
		e.open('{')
		e.text("rule", x.Rule)
		e.number("missing", x.Missing)
		if x.Quantity != 0 {
			e.quantity("quantity", x.Quantity)
		}
		e.text("gives", x.Gives)
		e.close('}')
	}
	e.close(']')
}

// balance renders the balance after the operation, null if the answer has
// none.
func (e *encoder) balance(r *Response) {
	if !r.HasBalance {
		e.null("balance")
		return
	}
	e.begin("balance", '{')
	e.balanceFields(&r.Balance)
	e.close('}')
}

func (e *encoder) balanceFields(b *Balance) {
	e.number("available", b.Available)
	e.number("held", b.Held)
	e.number("pending", b.Pending)
	e.number("deficit", b.Deficit)
}

// returned renders a return: money back, points back, points taken back.
func (e *encoder) returned(r *Response) {
	if r.Accepted {
		e.outcome(r)
		return
	}
	e.open('{')
	e.textOrNull("id", r.ID)
	e.textOrNull("status", r.Status)
	e.textOrNull("authorization", r.Parent)
	e.number("total", r.Total)
	e.number("payable", r.Payable)
	e.redeemed(r.Redeemed, r.RedeemedMoney)
	e.number("earned", r.Earned)
	e.begin("lines", '[')
	for i := range r.Lines {
		l := &r.Lines[i]
		e.open('{')
		e.text("id", l.ID)
		e.quantity("quantity", l.Quantity)
		e.number("amount", l.Amount)
		e.number("payable", l.Payable)
		e.redeemed(l.Points, l.Redeemed)
		e.number("earned", l.Earned)
		e.close('}')
	}
	e.close(']')
	e.balance(r)
	e.texts("warnings", r.Warnings)
	e.texts("slip", r.Slip)
	e.close('}')
}

// outcome renders what has no figures of its own: which operation, what has
// become of it. The id is null where there is none (a reversal of something
// unknown).
func (e *encoder) outcome(r *Response) {
	e.open('{')
	e.textOrNull("id", r.ID)
	e.textOrNull("status", r.Status)
	if r.Parent != "" {
		e.text("authorization", r.Parent)
	}
	if r.Into != "" {
		e.text("into", r.Into)
	}
	if r.HasBalance {
		e.balance(r)
	}
	if len(r.Warnings) > 0 {
		e.texts("warnings", r.Warnings)
	}
	e.close('}')
}

package protocol

// required checks what a call can't do without, as far as a Request shows it.
func (v *validator) required(r *Request) {
	switch r.Call {
	case CallQuote, CallAuthorize, CallAccrue, CallRedeem:
		v.requiredSale(r)
	case CallAmend:
		v.need("id", r.Target)
		v.needBasket(r)
	case CallGetAuthorization, CallConfirm, CallVoid:
		v.need("id", r.Target)
	case CallReturn:
		v.requiredReturn(r)
	case CallReverse:
		v.requiredReversal(r)
	case CallLookupMember:
		v.needMember(r)
	case CallBalance:
		if r.Target == "" {
			v.needMember(r)
		}
	case CallCreateMember:
		v.requiredMember(r)
	case CallCoupons:
		v.need("serial", r.Series)
		if r.Count < 1 || r.Count > MaxCoupons {
			v.refuse(InvalidRequest, "count", "is a number from 1 to 10000")
		}
	case CallCardBatch:
		v.need("template", r.Card.Template)
		if r.Count < 1 || r.Count > MaxCardBatch {
			v.refuse(InvalidRequest, "count", "is a number from 1 to 10000")
		}
	case CallPutBlock, CallDeleteBlock:
		if (r.Terminal == "") == (r.Cashier == "") {
			v.refuse(InvalidRequest, "terminal", "name either a terminal or a cashier")
		}
		if r.Call == CallPutBlock {
			v.need("reason", r.Reason)
		}
	case CallCloseShift:
		v.need("terminal", r.Terminal)
		v.need("store", r.Store)
		v.need("shift", r.Receipt.Shift)
	case CallGetMember, CallPatchMember, CallDeleteMember, CallOperations, CallIssueCode, CallMemberEvent,
		CallSetTier, CallMerge, CallReferral, CallAdjust, CallAddCard, CallPatchCard, CallReplaceCard, CallResolveParked:
		v.need("id", r.Target)
		v.requiredOffice(r)
	}
}

func (v *validator) needBasket(r *Request) {
	if !r.HasBasket {
		v.refuse(InvalidRequest, "basket", sayMissing)
	}
}

func (v *validator) needMember(r *Request) {
	if r.Member.Kind == NoIdentifier {
		v.refuse(InvalidRequest, "member", "exactly one of id, phone, card, code, email is wanted")
	}
}

func (v *validator) requiredSale(r *Request) {
	v.needMember(r)
	v.needBasket(r)
	switch {
	case r.Call == CallRedeem && r.Redeem.Mode == RedeemNone:
		v.refuse(InvalidRequest, "redeem", sayMissing)
	case r.Call == CallAccrue && r.Redeem.Mode != RedeemNone && !r.Offline:
		v.refuse(InvalidRequest, "redeem", "an accrual spends nothing, unless it is offline")
	case r.Offline && !r.At.Set:
		v.refuse(InvalidRequest, "at", "an offline receipt says when it was")
	case r.Offline && r.Edge == EdgeHTTP && (r.Redeem.Mode == RedeemMax || r.Redeem.Partial):
		v.refuse(InvalidRequest, "redeem", "an offline receipt says how many points it has taken: {\"points\": n}")
	}
}

// requiredReturn: the sale is named by its id or by its receipt, and what
// comes back by lines or by amount.
func (v *validator) requiredReturn(r *Request) {
	byReceipt := r.Receipt.Number != ""
	switch {
	case r.Target == "" && !byReceipt:
		v.refuse(InvalidRequest, "authorization", "the sale is named by authorization or by receipt")
	case r.Target != "" && byReceipt && r.Edge == EdgeHTTP:
		v.refuse(InvalidRequest, "receipt", "the sale is named by authorization or by receipt, not by both")
	case len(r.ReturnLines) > 0 && r.ReturnAmount != 0:
		v.refuse(InvalidRequest, "amount", "a return is by lines or by amount, not by both")
	}
	if r.Target == "" {
		v.need("terminal", r.Terminal)
		v.need("store", r.Store)
	}
}

// requiredReversal: the request to undo is named by its key, by its receipt,
// or, on the ISO edge, by DE37 or DE90.
func (v *validator) requiredReversal(r *Request) {
	if r.Edge == EdgeISO {
		return
	}
	byReceipt := r.Receipt.Number != ""
	switch {
	case r.TargetKey == "" && !byReceipt:
		v.refuse(InvalidRequest, "idempotency_key", "the request is named by idempotency_key or by receipt")
	case r.TargetKey != "" && byReceipt:
		v.refuse(InvalidRequest, "receipt", "the request is named by idempotency_key or by receipt, not by both")
	case byReceipt:
		v.need("terminal", r.Terminal)
		v.need("store", r.Store)
	}
}

// requiredMember: a registered member is unique by phone or e-mail, so there
// is one of them.
func (v *validator) requiredMember(r *Request) {
	p := r.Profile
	if p == nil || ((p.Phone == nil || *p.Phone == "") && (p.Email == nil || *p.Email == "")) {
		v.refuse(InvalidRequest, "phone", "a member has a phone or an email")
	}
}

// requiredOffice checks the small calls about members, cards and the parked.
func (v *validator) requiredOffice(r *Request) {
	switch r.Call {
	case CallMemberEvent:
		v.need("event", r.Event)
	case CallSetTier:
		v.need("tier", r.Tier)
		if !r.Until.Set {
			v.refuse(InvalidRequest, "until", sayMissing)
		}
	case CallMerge:
		v.need("into", r.Into)
		if r.Into == r.Target {
			v.refuse(InvalidRequest, "into", "is the member itself")
		}
	case CallAdjust:
		v.need("reason", r.Reason)
		switch {
		case r.Points == 0:
			v.refuse(InvalidAmount, "points", "must not be zero")
		case r.Points > MaxAmount || r.Points < -MaxAmount:
			v.refuse(InvalidAmount, "points", sayTooMuch)
		}
	case CallAddCard, CallReplaceCard:
		if r.Card.Template == "" {
			v.need("number", r.Card.Number)
		}
	case CallResolveParked:
		v.need("reason", r.Reason)
		if r.Action != "book" && r.Action != "reject" {
			v.refuse(InvalidRequest, "action", "is book or reject")
		}
	}
}

// small checks the shapes of what member and office calls carry.
func (v *validator) small(r *Request) {
	if r.Event != "" && (len(r.Event) > maxEvent || !visible(r.Event)) {
		v.refuse(InvalidRequest, "event", "has 1 to 64 visible ASCII characters")
	}
	v.text("tier", r.Tier, maxTier)
	if r.Into != "" && !ValidMemberID(r.Into) {
		v.refuse(InvalidRequest, "into", "is no member's id")
	}
	if r.Card.Number != "" && !ValidCard(r.Card.Number) {
		v.refuse(InvalidRequest, "number", "is no card number: 4 to 32 letters, digits, dots, dashes, underscores")
	}
	v.text("type", r.Card.Type, maxWord)
	v.text("template", r.Card.Template, maxWord)
	v.text("serial", r.Series, maxSeries)
	switch r.Card.State {
	case "", "new", "active", "blocked", "closed", "completed":
	default:
		v.refuse(InvalidRequest, "state", "is one of new, active, blocked, closed, completed")
	}
	if r.Profile != nil {
		v.profile(r.Profile)
	}
	if r.Call == CallCloseShift {
		v.totals(&r.Totals)
	}
	v.directories(r)
}

// profile checks a member's data. An empty text clears a field.
func (v *validator) profile(p *Profile) {
	if t := sent(p.Phone); t != "" && !ValidPhone(t) {
		v.refuse(InvalidRequest, "phone", "is no E.164 number: a plus and 8 to 15 digits")
	}
	if t := sent(p.Email); t != "" && !ValidEmail(t) {
		v.refuse(InvalidRequest, "email", "is no e-mail address")
	}
	v.text("name", sent(p.Name), maxName)
	if t := sent(p.Birthday); t != "" {
		if y, _, _, ok := parseDate(t); !ok || y < minBirthYear || y > maxBirthYear {
			v.refuse(InvalidRequest, "birthday", "is a day as YYYY-MM-DD, of the years 1900 to 2100")
		}
	}
	v.text("sex", sent(p.Sex), maxWord)
	v.text("external_id", sent(p.ExternalID), maxExternalID)
	v.text("promo_code", p.PromoCode, maxPromoCode)
	v.texts("tags", p.Tags, MaxMemberTags, maxTag)
	if len(p.Consent) > MaxConsents {
		v.refuse(InvalidRequest, "consent", "there are more than 16 kinds of consent")
	}
	for name := range p.Consent {
		if name == "" || textFault(name, maxWord) != "" {
			v.refuse(InvalidRequest, "consent", "a kind of consent has 1 to 32 bytes that can be shown")
		}
	}
	if p.Referrer.Kind == ByCode { // a referral code, not a one-time code
		if t := p.Referrer.Value; t == "" || len(t) > maxWord || !visible(t) {
			v.refuse(InvalidRequest, "referrer.code", "has 1 to 32 visible ASCII characters")
		}
		return
	}
	v.identifier("referrer.", &p.Referrer)
}

func sent(t *string) string {
	if t == nil {
		return ""
	}
	return *t
}

// totals checks a shift's figures.
func (v *validator) totals(t *ShiftTotals) {
	for _, f := range [...]struct {
		field        string
		count, total int64
	}{
		{"totals.sales", t.SalesCount, t.Sales},
		{"totals.returns", t.ReturnsCount, t.Returns},
		{"totals.redeemed", t.RedeemedCount, t.Redeemed},
		{"totals.given_back", t.GivenBackCount, t.GivenBack},
	} {
		if f.count < 0 || f.count > maxCount {
			v.refuse(InvalidAmount, f.field+".count", "has at most ten digits and no sign")
		}
		if f.total < 0 || f.total > maxTotal {
			v.refuse(InvalidAmount, f.field+".total", "has at most sixteen digits and no sign")
		}
	}
	if t.Net > maxTotal || t.Net < -maxTotal {
		v.refuse(InvalidAmount, "totals.net", "has at most sixteen digits")
	}
}

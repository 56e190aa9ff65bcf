package protocol

import "sort"

// member renders a member. The personal part stands only where the answer
// has a profile: what is remembered for a repeat (registration) has none.
func (e *encoder) member(r *Response) {
	m := &r.Member
	e.open('{')
	e.text("id", m.ID)
	e.textOrNull("tier", m.Tier)
	e.textOrNull("referral_code", m.ReferralCode)
	e.boolean("registered", m.Registered)
	switch {
	case m.Profile != nil:
		e.profile(m.Profile)
	case m.Name != "":
		e.text("name", m.Name)
	}
	if r.Call != CallCreateMember {
		e.cards(m.Cards)
	}
	if r.HasBalance {
		e.balance(r)
	}
	if len(r.Rules) > 0 {
		e.rules(r.Rules)
	}
	if len(r.Promo) > 0 {
		e.promo(r.Promo)
	}
	if len(r.Warnings) > 0 {
		e.texts("warnings", r.Warnings)
	}
	e.close('}')
}

func (e *encoder) profile(p *Profile) {
	e.pointerOrNull("phone", p.Phone)
	e.pointerOrNull("email", p.Email)
	e.pointerOrNull("name", p.Name)
	e.pointerOrNull("birthday", p.Birthday)
	e.pointerOrNull("sex", p.Sex)
	e.texts("tags", p.Tags)
	e.consent(p.Consent)
	e.pointerOrNull("external_id", p.ExternalID)
	if p.PromoCode != "" {
		e.text("promo_code", p.PromoCode)
	}
	if p.Source != "" {
		e.text("source", p.Source)
	}
}

// consent is written in the order of its names, because a map has none.
func (e *encoder) consent(given map[string]bool) {
	names := make([]string, 0, len(given))
	for name := range given {
		names = append(names, name)
	}
	sort.Strings(names)
	e.begin("consent", '{')
	for i, name := range names {
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		e.dst = append(appendText(e.dst, name), ':')
		if given[name] {
			e.dst = append(e.dst, "true"...)
		} else {
			e.dst = append(e.dst, "false"...)
		}
	}
	e.close('}')
}

func (e *encoder) cards(cards []CardView) {
	e.begin("cards", '[')
	for i := range cards {
		e.open('{')
		e.card(&cards[i])
		e.close('}')
	}
	e.close(']')
}

func (e *encoder) card(c *CardView) {
	e.textOrNull("number", c.Number)
	e.textOrNull("type", c.Type)
	e.textOrNull("state", c.State)
	e.instant("expires_at", c.Expires)
}

// cardOf renders a card and whose it is.
func (e *encoder) cardOf(r *Response) {
	e.open('{')
	e.card(&r.Card)
	e.textOrNull("member", r.Member.ID)
	e.close('}')
}

// balanceOf renders a member's balance with its lots. `money` is the money
// account that a programme may keep beside points; null while there is none.
func (e *encoder) balanceOf(r *Response) {
	e.open('{')
	e.balanceFields(&r.Balance)
	e.textOrNull("tier", r.Member.Tier)
	if r.NextTier == "" {
		e.null("next_tier")
	} else {
		e.begin("next_tier", '{')
		e.text("name", r.NextTier)
		e.number("missing", r.NextMissing)
		e.close('}')
	}
	e.lots(r.Lots)
	e.null("money")
	e.close('}')
}

// operations renders a page of a member's history, newest first.
func (e *encoder) operations(r *Response) {
	e.open('{')
	e.begin("operations", '[')
	for i := range r.Operations {
		e.operation(&r.Operations[i])
	}
	e.close(']')
	e.textOrNull("next", r.NextCursor)
	e.close('}')
}

func (e *encoder) operation(o *OperationView) {
	e.open('{')
	e.text("id", o.ID)
	e.text("kind", o.Kind)
	e.textOrNull("status", o.Status)
	e.textOrNull("authorization", o.Parent)
	e.textOrNull("terminal", o.Terminal)
	e.textOrNull("store", o.Store)
	e.textOrNull("receipt", o.Receipt)
	e.instant("at", o.At)
	e.instant("booked_at", o.Time)
	e.number("total", o.Total)
	e.number("discount", o.Discount)
	e.redeemed(o.Redeemed, o.RedeemedMoney)
	e.number("payable", o.Payable)
	e.number("earned", o.Earned)
	e.number("points", o.Points)
	e.begin("balance", '{')
	e.balanceFields(&o.Balance)
	e.close('}')
	e.textOrNull("reason", o.Reason)
	e.close('}')
}

// referral renders who invited a member, whom the member invited, and what
// that brought.
func (e *encoder) referral(r *Response) {
	e.open('{')
	e.textOrNull("referral_code", r.Member.ReferralCode)
	e.textOrNull("referrer", r.Referrer)
	e.number("points", r.Points)
	e.begin("friends", '[')
	for i := range r.Friends {
		f := &r.Friends[i]
		e.open('{')
		e.text("id", f.ID)
		e.number("level", int64(f.Level))
		e.instant("registered_at", f.Since)
		e.number("points", f.Points)
		e.close('}')
	}
	e.close(']')
	e.textOrNull("next", r.NextCursor)
	e.close('}')
}

// oneTimeCode renders a code for the member's own app. A till gets only when
// it ends: the code itself goes to the member.
func (e *encoder) oneTimeCode(r *Response) {
	e.open('{')
	if r.OneTimeCode != "" {
		e.text("code", r.OneTimeCode)
	}
	e.moment("expires_at", r.ExpiresAt)
	e.close('}')
}

// granted renders an adjustment or an event: how many points it moved, by
// which rules, and the balance.
func (e *encoder) granted(r *Response) {
	e.open('{')
	e.textOrNull("id", r.ID)
	e.textOrNull("status", r.Status)
	e.number("points", r.Points)
	if r.Call == CallMemberEvent {
		e.rules(r.Rules)
	}
	e.lots(r.EarnedLots)
	e.balance(r)
	if len(r.Warnings) > 0 {
		e.texts("warnings", r.Warnings)
	}
	e.close('}')
}

// tier renders a tier that was assigned by hand and when that ends.
func (e *encoder) tier(r *Response) {
	e.open('{')
	e.text("id", r.Member.ID)
	e.textOrNull("tier", r.Member.Tier)
	e.moment("until", r.ExpiresAt)
	e.close('}')
}

package protocol

// Fields of registration and of a change of a member.
const (
	profilePhone = iota + ctxCount
	profileEmail
	profileName
	profileBirthday
	profileSex
	profileTags
	profileConsent
	profilePromoCode
	profileReferrer
	profileExternalID
)

var profileFields = []string{
	ctxTerminal: "terminal", ctxStore: "store", ctxCashier: "cashier",
	profilePhone: "phone", profileEmail: "email", profileName: "name", profileBirthday: "birthday",
	profileSex: "sex", profileTags: "tags", profileConsent: "consent", profilePromoCode: "promo_code",
	profileReferrer: "referrer", profileExternalID: "external_id",
}

// profileAllowed is what a change may carry: who invited a member and by
// which code is settled at registration.
func profileAllowed(call Call) uint32 {
	if call == CallPatchMember {
		return all &^ (1<<profilePromoCode | 1<<profileReferrer)
	}
	return all
}

// profile reads a member's personal data. In a change null clears a field, as
// in RFC 7396; in a registration there is nothing to clear.
func (s *scanner) profile(r *Request) {
	p := &Profile{}
	r.Profile = p
	patch := r.Call == CallPatchMember
	o := s.object(profileFields, profileAllowed(r.Call))
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case profilePhone:
			p.Phone = s.clearable(patch)
		case profileEmail:
			p.Email = s.clearable(patch)
		case profileName:
			p.Name = s.clearable(patch)
		case profileBirthday:
			p.Birthday = s.clearable(patch)
		case profileSex:
			p.Sex = s.clearable(patch)
		case profileExternalID:
			p.ExternalID = s.clearable(patch)
		case profileTags:
			p.Tags, p.HasTags = s.texts(nil, MaxMemberTags), true
		case profileConsent:
			p.Consent, p.HasConsent = s.consent(), true
		case profilePromoCode:
			p.PromoCode = s.text()
		case profileReferrer:
			s.identifier(&p.Referrer, referrerKinds)
		default:
			s.context(i, r)
		}
	}
	if patch && o.seen&^(1<<ctxCount-1) == 0 {
		s.refuseField("", InvalidRequest, "there is nothing to change")
	}
}

// referrerKinds are the ways to name who invited: id, phone and referral
// code.
const referrerKinds = 1<<0 | 1<<1 | 1<<3

// clearable reads a text, and null as the empty one where that clears.
func (s *scanner) clearable(patch bool) *string {
	text := ""
	if !patch || !s.null() {
		text = s.text()
	}
	return &text
}

// consent reads what a member agrees to, by names that the shop chooses.
func (s *scanner) consent() map[string]bool {
	given := make(map[string]bool)
	o := s.object(nil, 0)
	for name, ok := s.freeField(&o); ok; name, ok = s.freeField(&o) {
		if _, twice := given[name]; twice {
			s.refuse(InvalidRequest, "the field stands twice")
			break
		}
		if len(given) == MaxConsents {
			s.refuse(InvalidRequest, "there are more than 16 kinds of consent")
			break
		}
		given[name] = s.boolean()
	}
	return given
}

// Fields of look-up: one of the ways to name a member, and from where.
var lookupFields = []string{"id", "phone", "card", "code", "email", "terminal", "store"}

// lookup reads the one identifier that a look-up is about.
func (s *scanner) lookup(r *Request) {
	o := s.object(lookupFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case len(identifierFields):
			r.Terminal = s.text()
		case len(identifierFields) + 1:
			r.Store = s.text()
		default:
			s.oneIdentifier(&r.Member, i)
		}
	}
	if r.Member.Kind == NoIdentifier {
		s.refuseField("", InvalidRequest, "exactly one of id, phone, card, code, email is wanted")
	}
}

// Fields of the small calls about one member, and of the block list.
const (
	memberEvent = iota + ctxCount
	memberAt
	memberTier
	memberUntil
	memberInto
	memberPoints
	memberReason
)

var memberFields = []string{
	ctxTerminal: "terminal", ctxStore: "store", ctxCashier: "cashier",
	memberEvent: "event", memberAt: "at", memberTier: "tier", memberUntil: "until",
	memberInto: "into", memberPoints: "points", memberReason: "reason",
}

// memberCallFields are the fields of each of those calls: what it must carry
// and what it may carry beside that.
func memberCallFields(call Call) (required, allowed uint32) {
	const where = 1<<ctxTerminal | 1<<ctxStore | 1<<ctxCashier
	switch call {
	case CallMemberEvent:
		return 1 << memberEvent, where | 1<<memberEvent | 1<<memberAt
	case CallSetTier:
		return 1<<memberTier | 1<<memberUntil, 1<<memberTier | 1<<memberUntil | 1<<memberReason
	case CallMerge:
		return 1 << memberInto, 1<<memberInto | 1<<memberReason
	case CallPutBlock:
		return 1 << memberReason, 1<<ctxTerminal | 1<<ctxCashier | 1<<memberUntil | 1<<memberReason
	case CallAdjust:
		return 1<<memberPoints | 1<<memberReason, 1<<memberPoints | 1<<memberReason
	}
	return 0, where // a one-time code
}

// memberCall reads the body of codes, events, tier, merge, adjustments and
// blocks.
func (s *scanner) memberCall(r *Request) {
	required, allowed := memberCallFields(r.Call)
	o := s.object(memberFields, allowed)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case memberEvent:
			r.Event = s.text()
		case memberAt:
			r.At = s.time()
		case memberTier:
			r.Tier = s.text()
		case memberUntil:
			r.Until = s.time()
		case memberInto:
			r.Into = s.text()
		case memberPoints:
			r.Points = s.integer()
		case memberReason:
			r.Reason = s.text()
		default:
			s.context(i, r)
		}
	}
	s.require(&o, required)
}

// Fields of a card.
const (
	cardNumber = iota
	cardType
	cardState
	cardTemplate
)

var cardFields = []string{cardNumber: "number", cardType: "type", cardState: "state", cardTemplate: "template"}

// cardCallFields are the fields of each call about a card. A new card may be
// given its state; a change says at least something; a replacement is a
// number, or a template that draws one.
func cardCallFields(call Call) (allowed uint32) {
	switch call {
	case CallAddCard:
		return all
	case CallPatchCard:
		return 1<<cardType | 1<<cardState
	}
	return 1<<cardNumber | 1<<cardTemplate
}

// card reads the body of a call about a card.
func (s *scanner) card(r *Request) {
	o := s.object(cardFields, cardCallFields(r.Call))
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case cardNumber:
			r.Card.Number = s.text()
		case cardType:
			r.Card.Type = s.text()
		case cardState:
			r.Card.State = s.text()
		case cardTemplate:
			r.Card.Template = s.text()
		}
	}
	const named = 1<<cardNumber | 1<<cardTemplate
	switch {
	case r.Call == CallPatchCard && o.seen == 0:
		s.refuseField("", InvalidRequest, "there is nothing to change")
	case r.Call != CallPatchCard && o.seen&named == 0:
		s.require(&o, 1<<cardNumber)
	case o.seen&named == named:
		s.refuseField("template", InvalidRequest, "a card has a number, or a template that draws one, not both")
	}
}

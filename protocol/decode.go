package protocol

import "strconv"

// DecodeJSON reads the body of an HTTP call into r, which must be fresh or
// Reset. The body is copied once, to the end of r.Buffer, and r's texts point
// into that copy. What is read is well formed and has the shape of the call;
// whether it makes sense is Validate's to say, once the edge has put in what
// the path and the headers carry.
//
// A body that is refused leaves r half filled: it is then good for nothing
// but Reset.
func DecodeJSON(call Call, body []byte, r *Request) *Refusal {
	r.Call = call
	if bad := tooLarge(call, body); bad != nil {
		return bad
	}
	start := len(r.Buffer)
	r.Buffer = append(r.Buffer, body...)
	return decode(call, r.Buffer[start:len(r.Buffer):len(r.Buffer)], r)
}

// DecodeOwned is DecodeJSON for a body that the caller gives away: it is not
// copied, and r's texts point into it. It is for the large ones.
func DecodeOwned(call Call, body []byte, r *Request) *Refusal {
	r.Call = call
	if bad := tooLarge(call, body); bad != nil {
		return bad
	}
	return decode(call, body, r)
}

func tooLarge(call Call, body []byte) *Refusal {
	if limit := call.BodyLimit(); len(body) > limit {
		return &Refusal{Code: TooLarge, Detail: "a body of this call has at most " + strconv.Itoa(limit) + " bytes"}
	}
	return nil
}

// decode reads a body that is r's for good.
func decode(call Call, own []byte, r *Request) *Refusal {
	if call == CallPutProgram || call == CallCheckProgram || call == CallWhatIf {
		r.Document = own
		return nil
	}
	s := scanner{buf: own}
	if s.peek() == 0 && s.pos == len(own) && bodyOf(call) != BodyJSON {
		return nil
	}
	s.call(call, r)
	s.end()
	return s.bad
}

// bodyOf says what body a call has, as the table of routes does.
func bodyOf(call Call) Body {
	if call < CallCount {
		return bodies[call]
	}
	return BodyNone
}

// call reads the body of one call.
func (s *scanner) call(call Call, r *Request) {
	switch call {
	case CallQuote, CallAuthorize, CallAccrue, CallRedeem:
		s.sale(r)
	case CallAmend:
		s.amend(r)
	case CallConfirm:
		s.confirm(r)
	case CallVoid:
		s.void(r)
	case CallReverse:
		s.reversal(r)
	case CallReturn:
		s.returned(r)
	case CallCreateMember, CallPatchMember:
		s.profile(r)
	case CallLookupMember:
		s.lookup(r)
	case CallIssueCode, CallMemberEvent, CallSetTier, CallMerge, CallAdjust, CallPutBlock:
		s.memberCall(r)
	case CallAddCard, CallPatchCard, CallReplaceCard:
		s.card(r)
	case CallCloseShift:
		s.shift(r)
	case CallResolveParked:
		s.resolve(r)
	case CallPutStores, CallPutProducts, CallPutCashiers, CallPutTemplates:
		s.directory(r)
	case CallCardBatch:
		s.cardBatch(r)
	case CallCoupons:
		s.coupons(r)
	default:
		s.refuse(InvalidRequest, "this call takes no body")
	}
}

// Fields of a request's context: who asks, where.
const (
	ctxTerminal = iota
	ctxStore
	ctxCashier
	ctxCount
)

// context reads one of the fields that nearly every call may carry.
func (s *scanner) context(i int, r *Request) {
	switch i {
	case ctxTerminal:
		r.Terminal = s.text()
	case ctxStore:
		r.Store = s.text()
	case ctxCashier:
		r.Cashier = s.text()
	}
}

const (
	receiptNumber = iota
	receiptShift
)

var receiptFields = []string{receiptNumber: "number", receiptShift: "shift"}

// receipt reads a fiscal receipt: its number and its shift.
func (s *scanner) receipt(r *Receipt) {
	o := s.object(receiptFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case receiptNumber:
			r.Number = s.text()
		case receiptShift:
			r.Shift = s.text()
		}
	}
	s.require(&o, 1<<receiptNumber)
}

var identifierFields = []string{"id", "phone", "card", "code", "email"}

// identifierKinds are the kinds that identifierFields name.
var identifierKinds = [...]IdentifierKind{ByID, ByPhone, ByCard, ByCode, ByEmail}

// identifier reads an object that names a member in exactly one way out of
// the allowed ones.
func (s *scanner) identifier(m *Identifier, allowed uint32) {
	o := s.object(identifierFields, allowed)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		s.oneIdentifier(m, i)
	}
	if m.Kind == NoIdentifier {
		s.refuseField("", InvalidRequest, "exactly one identifier is wanted")
	}
}

// oneIdentifier reads the i-th kind of identifier, refusing a second one.
func (s *scanner) oneIdentifier(m *Identifier, i int) {
	if m.Kind != NoIdentifier {
		s.refuse(InvalidRequest, "exactly one identifier is wanted, this is a second one")
		return
	}
	m.Kind, m.Value = identifierKinds[i], s.text()
}

// time reads a moment.
func (s *scanner) time() Time {
	text := s.text()
	if s.bad != nil {
		return Time{}
	}
	t, ok := ParseTime(text)
	if !ok {
		s.refuse(InvalidRequest, "must be an RFC 3339 time with offset, of the years 2000 to 2100, like 2026-11-20T12:31:05+05:00")
	}
	return t
}

// quantity reads a decimal string in thousandths.
func (s *scanner) quantity() int64 {
	if s.bad == nil && s.peek() != '"' {
		s.mismatch("a decimal text of at most three places, like \"0.345\"")
		return 0
	}
	text := s.text()
	if s.bad != nil {
		return 0
	}
	q, ok := ParseQuantity(text)
	if !ok {
		s.refuse(InvalidRequest, "must be a decimal text of at most three places, like \"0.345\"")
	}
	return q
}

// texts reads a list of texts into list.
func (s *scanner) texts(list []string, limit int) []string {
	list = list[:0]
	a := s.array(limit)
	for s.element(&a) {
		list = append(list, s.text())
	}
	return list
}

// positive reads an amount for which zero would mean "absent" in the request:
// here a zero that was said is refused.
func (s *scanner) positive() int64 {
	n := s.integer()
	if s.bad == nil && n <= 0 {
		s.refuse(InvalidAmount, "must be more than zero")
	}
	return n
}

package processor

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// verbs are the calls that a scenario's lines make.
var verbs = map[string]protocol.Call{
	"quote": protocol.CallQuote, "authorize": protocol.CallAuthorize, "look": protocol.CallGetAuthorization,
	"amend": protocol.CallAmend, "confirm": protocol.CallConfirm, "void": protocol.CallVoid,
	"reverse": protocol.CallReverse, "accrue": protocol.CallAccrue, "redeem": protocol.CallRedeem,
	"return": protocol.CallReturn, "balance": protocol.CallBalance, "resolve": protocol.CallResolveParked,
}

// request makes the request of a line: a verb, perhaps a member or a label,
// and arguments.
func (d *day) request(w words, line string) protocol.Request {
	call, known := verbs[w.verb]
	require.True(d.t, known, line)
	r := d.till(call)
	for _, about := range w.about {
		switch {
		case strings.Contains(about, ":"):
			r.Member = d.who(about)
		case about == "rules": // the answer's rules are told, too
		case about == "offline":
			r.Offline = true
		case about == "advice":
			r.ISO.Advice = true
		case about == "rules": // tells them too
		default:
			id, named := d.holds[about]
			require.True(d.t, named, "%s: no label %q", line, about)
			r.Target = id
		}
	}
	d.fill(&r, w)
	return r
}

// hash is the request's hash: over all but what may differ in a repeat.
func hash(r protocol.Request) [16]byte {
	r.Key, r.Hash, r.ISO.DE7 = "", [16]byte{}, ""
	if r.ISO.MTI != "" {
		r.ISO.MTI = r.ISO.MTI[:3]
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v", r))
	return [16]byte(sum[:16])
}

// who reads card:…, phone:…, id:NAME, code:…
func (d *day) who(s string) protocol.Identifier {
	kind, value, _ := strings.Cut(s, ":")
	switch kind {
	case "card":
		if known, ok := d.names[s]; ok {
			return known
		}
		return byCard(value)
	case "phone":
		return byPhone(value)
	case "id":
		return protocol.Identifier{Kind: protocol.ByID, Value: d.ids[value].String()}
	case "code":
		if known, ok := d.names[s]; ok {
			return known
		}
		return protocol.Identifier{Kind: protocol.ByCode, Value: value}
	}
	require.Fail(d.t, "unknown member", s)
	return protocol.Identifier{}
}

// fill takes a line's arguments.
func (d *day) fill(r *protocol.Request, w words) {
	for key, v := range w.args {
		switch key {
		case "total": // what is said stands, whatever the lines come to
			r.Total, r.HasBasket = minor(d.t, v), true
		case "lines":
			d.lines(r, v)
			if total, said := w.args["total"]; said {
				r.Total = minor(d.t, total)
			}
		case "redeem":
			d.redeem(r, v)
		case "channel":
			r.Channel = v
		case "tender":
			r.Payments = []protocol.Payment{{Tender: v, Amount: 100}}
		case "promo":
			r.PromoCodes = d.codes(v)
		case "cashier":
			r.Cashier = v
		case "key":
			r.Key = v
		case "of":
			r.TargetKey = v
		case "terminal":
			r.Terminal = strings.Trim(v, "-")
		case "store":
			r.Store = v
		case "role":
			r.Caller.Role = map[string]protocol.Role{"checkout": protocol.RoleCheckout, "till": protocol.RoleTill, "any": protocol.RoleAny}[v]
		case "at":
			r.At = protocol.Time{Unix: d.date(v), Offset: 5 * 3600, Set: true}
		case "receipt":
			r.Receipt.Number, r.Receipt.Shift, _ = strings.Cut(v, "/")
		case "redeemed":
			r.Printed.Redeemed, r.Printed.HasRedeemed = minor(d.t, v), true
		case "payable":
			r.Printed.Payable, r.Printed.HasPayable = minor(d.t, v), true
		case "hold":
			seconds, err := time.ParseDuration(v)
			require.NoError(d.t, err)
			r.HoldSeconds = int64(seconds.Seconds())
		case "back":
			d.backLines(r, v)
		case "amount":
			r.ReturnAmount = minor(d.t, v)
		case "action":
			r.Action, r.Reason = v, "the office has looked"
		default:
			d.iso(r, key, v)
		}
	}
	r.Hash = hash(*r)
}

// iso takes the arguments of an ISO message: mti, stan, de7, local, and of a
// reversal the original's class/stan/de7.
func (d *day) iso(r *protocol.Request, key, v string) {
	r.Edge, r.Key = protocol.EdgeISO, ""
	switch key {
	case "mti":
		r.ISO.MTI = v
	case "stan":
		r.ISO.STAN = v
	case "de7":
		r.ISO.DE7 = v
	case "local":
		r.ISO.LocalDate, r.ISO.LocalTime, _ = strings.Cut(v, "/")
	case "money":
		r.ISO.Currency = v
	case "original":
		parts := strings.Split(v, "/")
		r.ISO.Original = protocol.STANRef{Class: parts[0], STAN: parts[1], DE7: parts[2]}
		r.ISO.HasDE90 = true
	default:
		require.Fail(d.t, "unknown word", key)
	}
}

// lines reads 1:700.00,2:2x300.00 as two lines, the second of two pieces at
// 300. What follows another colon are the goods: 1:700.00:pastry is a category,
// 1:700.00:sku=4601:tag=new:brand=b names more of them.
func (d *day) lines(r *protocol.Request, v string) {
	r.Lines, r.Total, r.HasBasket = nil, 0, true
	for _, one := range strings.Split(v, ",") {
		id, amount, _ := strings.Cut(one, ":")
		amount, goods, _ := strings.Cut(amount, ":")
		quantity := int64(1)
		if n, price, several := strings.Cut(amount, "x"); several {
			q, err := strconv.ParseInt(n, 10, 64)
			require.NoError(d.t, err)
			quantity, amount = q, price
		}
		l := protocol.Line{ID: id, SKU: "sku" + id, Quantity: quantity * 1000, Price: minor(d.t, amount)}
		l.Amount = l.Price * quantity
		ofGoods(&l, goods)
		r.Lines = append(r.Lines, l)
		r.Total += l.Amount
	}
}

func (d *day) redeem(r *protocol.Request, v string) {
	if v == "max" {
		r.Redeem.Mode = protocol.RedeemMax
		return
	}
	v, partial := strings.CutSuffix(v, "?")
	r.Redeem = protocol.Redeem{Mode: protocol.RedeemPoints, Points: minor(d.t, v), Partial: partial}
}

func (d *day) backLines(r *protocol.Request, v string) {
	for _, one := range strings.Split(v, ",") {
		id, n, some := strings.Cut(one, "x")
		back := protocol.ReturnLine{ID: id}
		if some {
			q, err := strconv.ParseInt(n, 10, 64)
			require.NoError(d.t, err)
			back.Quantity = q * 1000
		}
		r.ReturnLines = append(r.ReturnLines, back)
	}
}

// tell puts an answer into words.
func tell(r *protocol.Response) []string {
	if !r.Code.OK() {
		s := strconv.Itoa(r.HTTPStatus()) + " " + r.Code.ISO() + " " + r.Code.String() + ": " + r.Detail
		if r.HasMaxPoints {
			s += " (at most " + decimal(r.MaxPoints) + ")"
		}
		if r.Replayed {
			s += " (replayed)"
		}
		return append([]string{s}, warned(r)...)
	}
	var out []string
	if r.Call == protocol.CallBalance {
		return append(out, tellBalance(r), tellLots("lots", r.Lots))
	}
	head := strconv.Itoa(r.HTTPStatus()) + " " + r.Code.ISO() + " " + r.Status
	for _, f := range []struct {
		name string
		n    int64
	}{
		{"total", r.Total}, {"discount", r.Discount}, {"redeemed", r.Redeemed}, {"payable", r.Payable},
		{"earned", r.Earned}, {"returned", r.Returned.Payable}, {"given back", r.Returned.Redeemed},
		{"taken back", r.Returned.Earned},
	} {
		if f.n != 0 {
			head += ", " + f.name + " " + decimal(f.n)
		}
	}
	out = append(out, head)
	for _, l := range r.Lines {
		s := "line " + l.ID + ": payable " + decimal(l.Payable) + ", redeemed " + decimal(l.Redeemed) + ", earned " + decimal(l.Earned)
		for _, p := range l.Pieces {
			s += ", " + strconv.FormatInt(p.Quantity/1000, 10) + " × " + decimal(p.Price)
		}
		out = append(out, s)
	}
	if len(r.EarnedLots) > 0 {
		out = append(out, tellLots("earns", r.EarnedLots))
	}
	if r.Accepted {
		out = append(out, "because "+r.Detail)
	}
	if r.HasBalance {
		out = append(out, tellBalance(r))
	}
	return append(out, warned(r)...)
}

func warned(r *protocol.Response) (out []string) {
	for _, w := range r.Warnings {
		out = append(out, "! "+w)
	}
	return out
}

func tellBalance(r *protocol.Response) string {
	b := r.Balance
	s := "balance " + decimal(b.Available)
	for _, f := range []struct {
		name string
		n    int64
	}{{"held", b.Held}, {"pending", b.Pending}, {"owes", b.Deficit}} {
		if f.n != 0 {
			s += ", " + f.name + " " + decimal(f.n)
		}
	}
	return s
}

func tellLots(what string, lots []protocol.LotView) string {
	if len(lots) == 0 {
		return what + ": none"
	}
	var list []string
	day := func(at int64) string {
		return strings.TrimSuffix(time.Unix(0, at).In(almaty).Format("2006-01-02 15:04"), " 00:00")
	}
	for _, l := range lots {
		s := decimal(l.Points) + " from " + day(l.Active)
		if l.Expires != 0 {
			s += " until " + day(l.Expires)
		}
		list = append(list, s)
	}
	return what + ": " + strings.Join(list, "; ")
}

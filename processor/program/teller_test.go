package program

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tillgate/protocol"
)

// teller plays the lines of a scenario.
type teller struct {
	p     *Program
	facts Facts
	at    int64
	d     Decision

	counting bool // the account keeps the counters of what is sold
}

func newTeller() *teller {
	t := &teller{}
	t.member("code")
	return t
}

// complete gives a document a name and a currency where it has none.
func complete(doc string) string {
	if !strings.Contains(doc, "currency:") {
		doc += "\n    currency: KZT"
	}
	if !strings.Contains(doc, "program:") {
		doc += "\n    program: test"
	}
	return doc
}

// programme compiles a document and says what is wrong with it.
func (t *teller) programme(doc string) []string {
	p, problems := Compile([]byte(complete(doc)))
	var out []string
	for _, pr := range problems {
		out = append(out, fmt.Sprintf("%s: %s", pr.Path, pr.Message))
	}
	if p != nil {
		t.p = p
		t.at = t.moment("2026-11-20 12:00")
	}
	return out
}

// member reads facts, separated by commas: how the member is identified
// (phone, card, code, id, email; nobody), and what is known of them.
func (t *teller) member(said string) {
	f := Facts{Present: true, Registered: true, Now: t.facts.Now,
		StoreGroup: t.facts.StoreGroup, Partner: t.facts.Partner, Zone: t.facts.Zone}
	for _, s := range strings.Split(said, ",") {
		word, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
		switch word {
		case "phone":
			f.Identified = protocol.ByPhone
		case "card":
			f.Identified, f.CardType = protocol.ByCard, rest
		case "code":
			f.Identified = protocol.ByCode
		case "email":
			f.Identified = protocol.ByEmail
		case "id":
			f.Identified = protocol.ByID
		case "checkout":
			f.SpendByID = true
		case "nobody":
			f.Present = false
		case "provisional":
			f.Registered = false
		case "tier":
			f.AssignedTier = rest
			if name, until, ok := strings.Cut(rest, " until "); ok {
				f.AssignedTier, f.AssignedUntil = name, t.moment(until)
			}
		case "lifetime":
			f.Lifetime = amount(rest)
		case "spent":
			day, sum, _ := strings.Cut(rest, " ")
			d, err := time.Parse(time.DateOnly, day)
			must(err)
			f.Days = spentOn(f.Days, DaySum{int32(d.Unix() / daySeconds), amount(sum)})
		case "last":
			f.LastPurchase = t.moment(strings.TrimPrefix(rest, "purchase "))
		case "born":
			d, err := time.Parse("2006-01-02", "2000-"+rest)
			must(err)
			f.BirthMonth, f.BirthDay = uint8(d.Month()), uint8(d.Day())
		case "tag":
			f.Tags = append(f.Tags, rest)
		case "newcomer":
			f.FirstPurchase = true
		case "invited":
			t.above(&f, rest)
		case "own":
			f.OwnCard = true // "own card"
		case "numbered":
			f.Card = uint64(amount(rest))
		default:
			f.Available = amount(word) // "1000.00 points"
		}
	}
	t.facts = f
}

// store reads the store: group, partner and zone.
func (t *teller) store(said string) {
	t.facts.StoreGroup, t.facts.Partner, t.facts.Zone = "", "", nil
	for _, s := range strings.Split(said, ",") {
		word, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
		switch word {
		case "group":
			t.facts.StoreGroup = rest
		case "partner":
			t.facts.Partner = rest
		case "zone":
			zone, err := time.LoadLocation(rest)
			must(err)
			t.facts.Zone = zone
		default:
			panic("testdata: store " + s)
		}
	}
}

// moment reads a local time.
func (t *teller) moment(s string) int64 {
	zone := t.facts.Zone
	if zone == nil && t.p != nil {
		zone = t.p.zone
	}
	if zone == nil {
		zone = time.UTC
	}
	if len(s) == len("2006-01-02 15:04") {
		s += ":00"
	}
	if utc, ok := strings.CutSuffix(s, " UTC"); ok {
		s, zone = utc+":00", time.UTC
	}
	at, err := time.ParseInLocation(time.DateTime, s, zone)
	must(err)
	return at.UnixNano()
}

// sell reads a receipt and what is wanted with it:
//
//	[QUANTITY x] PRICE [CATEGORY] [key=value …] + …, redeems 650.00 | all | 650.00 or fewer,
//	by card, channel online, store S1, cashier C1, explained, total
//
// A quantity of pieces multiplies the price; `amount=` overrides the line's
// amount; `total` sends no lines.
func (t *teller) sell(said string) []string {
	parts := strings.Split(said, ",")
	r := &protocol.Request{HasBasket: true}
	for i, s := range strings.Split(parts[0], " + ") {
		l := line(s)
		l.ID = strconv.Itoa(i + 1)
		r.Lines = append(r.Lines, l)
		r.Total += l.Amount
	}
	f := t.facts
	for _, s := range parts[1:] {
		word, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
		switch word {
		case "redeems":
			wish(r, rest)
		case "by":
			r.Payments = append(r.Payments, protocol.Payment{Tender: rest})
		case "channel":
			r.Channel = rest
		case "store":
			r.Store = rest
		case "cashier":
			r.Cashier = rest
		case "terminal":
			r.Terminal = rest
		case "offline":
			r.Offline = true
		case "explained":
			r.Explain = true
		case "code", "coupon":
			f.Promos = append(f.Promos, t.code(word, rest))
		case "total":
			r.Lines = nil
		default:
			panic("testdata: sells " + s)
		}
	}
	Evaluate(t.p, &f, r, t.at, &t.d)
	out := append(t.tell(r), t.beside()...)
	t.keep()
	return out
}

func wish(r *protocol.Request, s string) {
	r.Redeem.Mode = protocol.RedeemPoints
	if s == "all" {
		r.Redeem.Mode = protocol.RedeemMax
		return
	}
	s, r.Redeem.Partial = strings.CutSuffix(s, " or fewer")
	r.Redeem.Points = amount(s)
}

func line(s string) protocol.Line {
	l := protocol.Line{Quantity: 1000}
	words := strings.Fields(s)
	if len(words) > 2 && words[1] == "x" {
		l.Quantity = thousandths(words[0])
		words = words[2:]
	}
	l.Price = amount(words[0])
	l.Amount = l.Price * l.Quantity / 1000
	for _, w := range words[1:] {
		k, v, ok := strings.Cut(w, "=")
		switch {
		case !ok:
			l.Category = w
		case k == "sku":
			l.SKU = v
		case k == "brand":
			l.Brand = v
		case k == "supplier":
			l.Supplier = v
		case k == "tag":
			l.Tags = append(l.Tags, v)
		case k == "amount":
			l.Amount = amount(v)
		}
	}
	return l
}

// tell says what a decision holds, leaving out what is nothing.
func (t *teller) tell(r *protocol.Request) []string {
	d := &t.d
	if !d.Code.OK() {
		return []string{fmt.Sprintf("declined %s %s: %s; at most %s points", d.Code.ISO(), d.Code, d.Detail, money(d.MaxRedeem))}
	}
	sums := list("total "+money(d.Total), "discount", d.Discount, "points pay", d.RedeemedMoney)
	if d.Redeemed != d.RedeemedMoney {
		sums += " (" + money(d.Redeemed) + " points)"
	}
	sums += ", to pay " + money(d.Payable)
	sums = list(sums, "earns", d.Earned)
	if d.Code == protocol.Partial {
		sums += ", in part"
	}
	out := []string{sums}
	if len(d.Lines) > 1 || len(d.Lines) == 1 && d.Lines[0].Pieces != nil {
		for i := range d.Lines {
			out = append(out, tellLine(&d.Lines[i]))
		}
	}
	for _, one := range d.Rules {
		out = append(out, list("rule "+one.Rule, "off", one.Discount, "points", one.Points)+shares(one.Lines))
	}
	if len(d.Lots) > 1 || len(d.Lots) == 1 && (d.Lots[0].Active != t.at || d.Lots[0].Expires != 0) {
		for _, l := range d.Lots {
			out = append(out, fmt.Sprintf("lot %s %s", money(l.Points), t.span(l.Active, l.Expires)))
		}
	}
	for _, h := range d.Hints {
		missing := money(h.Missing)
		if h.Quantity != 0 {
			missing = fmt.Sprint(h.Quantity / 1000)
		}
		if h.Missing == 0 && h.Quantity == 0 {
			out = append(out, fmt.Sprintf("hint %s: %s", h.Rule, h.Gives))
			continue
		}
		out = append(out, fmt.Sprintf("hint %s: %s more gives %s", h.Rule, missing, h.Gives))
	}
	for _, s := range d.Skipped {
		out = append(out, fmt.Sprintf("skipped %s: %s", s.Rule, s.Because))
	}
	out = append(out, t.tellCodes()...)
	if d.Tier != "" && r.Explain {
		out = append(out, list("tier "+d.Tier, "missing to "+d.NextTier, d.NextMissing))
	}
	if d.MaxRedeem > 0 && r.Redeem.Mode == protocol.RedeemNone {
		out = append(out, "may spend "+money(d.MaxRedeem))
	}
	return out
}

func tellLine(l *protocol.LineResult) string {
	s := list("line "+l.ID+" "+money(l.Amount), "discount", l.Discount, "points pay", l.Redeemed)
	s += ", to pay " + money(l.Payable)
	s = list(s, "earns", l.Earned)
	for i, p := range l.Pieces {
		s += []string{": ", " and "}[min(i, 1)] + fmt.Sprintf("%d x %s", p.Quantity/1000, money(p.Price))
	}
	return s
}

// list appends pairs of a word and a sum that is not nothing.
func list(s string, pairs ...any) string {
	for i := 0; i < len(pairs); i += 2 {
		if v := pairs[i+1].(int64); v != 0 {
			s += fmt.Sprintf(", %s %s", pairs[i], money(v))
		}
	}
	return s
}

// span tells dates in the store's zone.
func (t *teller) span(active, expires int64) string {
	s := "from " + t.clock(active)
	if active == t.at {
		s = "at once"
	}
	if expires != 0 {
		return s + " until " + t.clock(expires)
	}
	return s
}

func (t *teller) clock(at int64) string {
	return time.Unix(0, at).In(t.p.inZone(t.facts.Zone)).Format("Mon 2006-01-02 15:04:05 -0700")
}

// spread shares a sum: "10.00 over 100.00 100.00 100.00 [capped 5.00 …]".
func (t *teller) spread(said string) []string {
	sum, rest, _ := strings.Cut(said, " over ")
	weights, caps, capped := strings.Cut(rest, " capped ")
	w := amounts(weights)
	var c []int64
	if capped {
		c = amounts(caps)
	}
	out := make([]int64, len(w))
	Spread(amount(sum), w, c, out)
	return []string{moneys(out)}
}

// returns takes back parts of a sale: "300.00 400.00 of 1300.00 gave 65.00".
func (t *teller) returns(said string) []string {
	parts, rest, _ := strings.Cut(said, " of ")
	whole, sum, _ := strings.Cut(rest, " gave ")
	var out []int64
	var done, taken int64
	for _, p := range amounts(parts) {
		done += p
		now := Proportion(done, amount(whole), amount(sum))
		out = append(out, now-taken)
		taken = now
	}
	return []string{moneys(out)}
}

// dates tells what a purchase at a moment means for lots: "on 2026-01-31 10:00".
func (t *teller) dates(said string) []string {
	t.at = t.moment(strings.TrimPrefix(said, "on "))
	out := []string{t.span(lotDates(t.p.lots.ActiveAfter, t.p.lots.ExpiresAfter, t.at, &Almanac{zone: t.p.inZone(t.facts.Zone)}))}
	if to := t.p.ExtendTo(t.at, t.facts.Zone, new(Almanac)); to != 0 {
		out = append(out, "extends what was there to "+t.clock(to))
	}
	if to := t.p.GraceUntil(t.at, t.facts.Zone); to != 0 {
		out = append(out, "an expired lot comes back until "+t.clock(to))
	}
	return out
}

func must(err error) {
	if err != nil {
		panic("testdata: " + err.Error())
	}
}

func amount(s string) int64 {
	v, bad := scaled(&node{kind: nodeText, text: s}, 2)
	if bad != "" {
		panic("testdata: " + bad)
	}
	return v
}

func thousandths(s string) int64 {
	v, bad := scaled(&node{kind: nodeText, text: s}, 3)
	if bad != "" {
		panic("testdata: " + bad)
	}
	return v
}

func amounts(s string) []int64 {
	var out []int64
	for _, w := range strings.Fields(s) {
		out = append(out, amount(w))
	}
	return out
}

func money(v int64) string { return fmt.Sprintf("%d.%02d", v/100, v%100) }

func moneys(list []int64) string {
	var out []string
	for _, v := range list {
		out = append(out, money(v))
	}
	return strings.Join(out, " ")
}

package processor

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// TestProgrammes plays the scenarios of the documentation: each beside the
// programme that it publishes whole.
func TestProgrammes(t *testing.T) {
	programmes, err := filepath.Glob("../docs/programmes/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, programmes)
	for _, doc := range programmes {
		t.Run(strings.TrimSuffix(filepath.Base(doc), ".yaml"), func(t *testing.T) {
			play(t, strings.TrimSuffix(doc, ".yaml")+".txt")
		})
	}
}

// ofGoods reads a line's goods: words apart by colons, a bare one the category.
func ofGoods(l *protocol.Line, said string) {
	for _, word := range strings.Split(said, ":") {
		key, v, named := strings.Cut(word, "=")
		switch {
		case !named:
			l.Category = word
		case key == "sku":
			l.SKU = v
		case key == "brand":
			l.Brand = v
		case key == "supplier":
			l.Supplier = v
		case key == "tag":
			l.Tags = append(l.Tags, v)
		default:
			panic("testdata: goods " + word)
		}
	}
}

// tellRules tells what made the figures: the tier, each rule with its own,
// what codes gave, and what is missing to more.
func tellRules(r *protocol.Response) []string {
	var out []string
	if r.Member.Tier != "" {
		out = append(out, "tier "+r.Member.Tier)
	}
	if r.Call == protocol.CallBalance && r.NextTier != "" {
		out = append(out, decimal(r.NextMissing)+" more make "+r.NextTier)
	}
	for _, one := range r.Rules {
		s := "rule " + one.Rule
		if one.Discount != 0 {
			s += ", off " + decimal(one.Discount)
		}
		if one.Points != 0 {
			s += ", points " + decimal(one.Points)
		}
		out = append(out, s)
	}
	for _, p := range r.Promo {
		out = append(out, tellPromo(p))
	}
	for _, h := range r.Hints {
		missing := decimal(h.Missing)
		if h.Quantity != 0 {
			missing = strconv.FormatInt(h.Quantity/1000, 10)
		}
		if h.Missing == 0 && h.Quantity == 0 {
			out = append(out, "hint "+h.Rule+": "+h.Gives)
			continue
		}
		out = append(out, "hint "+h.Rule+": "+missing+" more gives "+h.Gives)
	}
	return out
}

// register makes a member as an office does: what a registration gives fires.
func (d *day) register(w words) []string {
	r := d.shop.member(w.args["phone"], w.args["email"])
	p := r.Profile
	if v, ok := w.args["birthday"]; ok {
		p.Birthday = &v
	}
	if v, ok := w.args["tags"]; ok {
		p.Tags, p.HasTags = strings.Split(v, ","), true
	}
	if v, ok := w.args["referrer"]; ok {
		kind, value, named := strings.Cut(v, ":")
		switch {
		case !named:
			p.Referrer = protocol.Identifier{Kind: protocol.ByID, Value: d.ids[v].String()}
		case kind == "code":
			p.Referrer = protocol.Identifier{Kind: protocol.ByCode, Value: d.s.referralCode("", d.ids[value])}
		default:
			p.Referrer = byPhone(value)
		}
	}
	p.PromoCode = w.args["promo"]
	r.Hash = hash(r)
	res := d.ask(r)
	if !res.Code.OK() {
		return tell(res)
	}
	id, err := ledger.ParseAccountID(res.Member.ID)
	require.NoError(d.t, err)
	d.ids[w.about[0]] = id
	said := strconv.Itoa(res.HTTPStatus()) + " registered"
	if res.Member.Tier != "" {
		said += ", tier " + res.Member.Tier
	}
	if card := w.args["card"]; card != "" {
		r := d.office(protocol.CallAddCard, res.Member.ID)
		r.Card = protocol.Card{Number: card, Type: w.args["type"]}
		d.approved(r)
	}
	if len(res.Rules) == 0 && len(res.Promo) == 0 {
		return []string{said}
	}
	given := tellRules(&protocol.Response{Rules: res.Rules, Promo: res.Promo})
	return append(append([]string{said}, given...), tellBalance(res))
}

// event posts something that happened to a member: event Anna app_installed.
func (d *day) event(w words) []string {
	r := d.office(protocol.CallMemberEvent, d.ids[w.about[0]].String())
	r.Event = w.about[1]
	res := d.ask(r)
	if !res.Code.OK() {
		return tell(res)
	}
	return append(append(tell(res), tellRules(res)...), tellLots("lots", res.EarnedLots))
}

// putStore tells of a store: shop F1 partner=fuel group=north.
func (d *day) putStore(w words) {
	r := d.office(protocol.CallPutStores, "")
	r.Caller.Role = protocol.RoleAdmin
	r.Stores = []protocol.StoreEntry{{ID: w.about[0], Partner: w.args["partner"], Group: w.args["group"]}}
	d.approved(r)
}

// arrive waits until every transfer that has left an account has been booked
// where it goes: they are delivered behind the answers.
func (d *day) arrive() {
	require.Eventually(d.t, func() bool {
		left, arrived := 0, 0
		for p := range d.ledger.Partitions() {
			require.NoError(d.t, d.ledger.Journal(p, 0, func(_ ledger.OpID, record []byte) bool {
				var op ledger.Operation
				require.NoError(d.t, ledger.DecodeOperation(record, &op))
				left += len(op.Transfers)
				if op.Kind == ledger.KindPostIn {
					arrived++
				}
				return true
			}))
		}
		return left == arrived
	}, 10*time.Second, time.Millisecond, "something never arrives")
}

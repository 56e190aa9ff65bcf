package processor

import (
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// counter does what an office does about cards, members who are one, and
// goods.
func (d *day) counter(w words) []string {
	switch w.verb {
	case "product":
		return d.putProduct(w)
	case "template":
		r := d.office(protocol.CallPutTemplates, "")
		r.Templates = []protocol.CardTemplate{{
			ID: w.about[0], Pattern: w.args["pattern"], Check: w.args["check"], Type: w.args["type"], Valid: w.args["valid"],
		}}
		return d.brief(d.ask(r))
	case "carton":
		return d.carton(w)
	case "merge":
		r := d.office(protocol.CallMerge, d.ids[w.about[0]].String())
		r.Into = d.ids[w.args["into"]].String()
		res := d.brief(d.ask(r))
		d.arrive()
		return res
	case "friends":
		return d.friends(w.about[0])
	}
	return d.card(w)
}

// putProduct puts a product's row: product 4601 category=coffee tags=a,b
// price=6.00, or product 4601 deleted.
func (d *day) putProduct(w words) []string {
	e := protocol.ProductEntry{SKU: w.about[0], Category: w.args["category"], Brand: w.args["brand"], Supplier: w.args["supplier"]}
	e.Deleted = len(w.about) > 1 && w.about[1] == "deleted"
	if tags, ok := w.args["tags"]; ok {
		e.Tags = strings.Split(tags, ",")
	}
	if price, ok := w.args["price"]; ok {
		e.Price, e.HasPrice = minor(d.t, price), true
	}
	r := d.office(protocol.CallPutProducts, "")
	r.Products = []protocol.ProductEntry{e}
	return d.brief(d.ask(r))
}

// carton makes cards that are nobody's: carton gold 3 as box, whose numbers
// are box1, box2 and box3 from then on.
func (d *day) carton(w words) []string {
	r := d.office(protocol.CallCardBatch, "")
	n, err := strconv.ParseInt(w.about[1], 10, 64)
	require.NoError(d.t, err)
	r.Card.Template, r.Count = w.about[0], n
	res := d.ask(r)
	if !res.Code.OK() {
		return tell(res)
	}
	for i, number := range res.Numbers {
		d.names["card:"+w.label+strconv.Itoa(i+1)] = byCard(number)
	}
	return []string{strconv.Itoa(res.HTTPStatus()) + " " + strconv.Itoa(len(res.Numbers)) + " cards, " + tellOneCard(res)}
}

// number is a card's number, or the one that a label stands for.
func (d *day) number(s string) string { return d.who("card:" + s).Value }

// card gives a member a card, replaces one, or changes its state.
func (d *day) card(w words) []string {
	var r protocol.Request
	switch w.verb {
	case "card":
		r = d.office(protocol.CallAddCard, d.ids[w.about[0]].String())
	case "replace":
		r = d.office(protocol.CallReplaceCard, d.number(w.about[0]))
	default:
		r = d.office(protocol.CallPatchCard, d.number(w.about[0]))
		r.Card.State = w.about[1]
	}
	if n := w.args["number"]; n != "" {
		r.Card.Number = d.number(n)
	}
	r.Card.Template, r.Card.Type = w.args["template"], w.args["type"]
	res := d.ask(r)
	if !res.Code.OK() {
		return tell(res)
	}
	if w.label != "" {
		d.names["card:"+w.label] = byCard(res.Card.Number) // a drawn one is told in full
	}
	return []string{strconv.Itoa(res.HTTPStatus()) + " " + tellOneCard(res)}
}

func tellOneCard(r *protocol.Response) string {
	s := r.Card.State
	if r.Card.Type != "" {
		s += ", " + r.Card.Type
	}
	if r.Card.Expires != 0 {
		s += ", until " + time.Unix(0, r.Card.Expires).In(almaty).Format("2006-01-02")
	}
	return s
}

// friends tells whom a member has invited, by their names in the scenario.
func (d *day) friends(name string) []string {
	names := map[string]string{}
	for n, id := range d.ids {
		names[id.String()] = n
	}
	res := d.ask(d.office(protocol.CallReferral, d.ids[name].String()))
	out := []string{}
	for _, f := range res.Friends {
		s := names[f.ID] + ", level " + strconv.Itoa(f.Level)
		if f.Points != 0 {
			s += ", brought " + decimal(f.Points)
		}
		out = append(out, s)
	}
	said := strconv.Itoa(len(out)) + " friends"
	if res.Points != 0 {
		said += ", " + decimal(res.Points) + " in all"
	}
	return append(out, said)
}

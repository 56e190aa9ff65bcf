package program

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"pgregory.net/rapid"

	"tillgate/protocol"
)

// The twin of what counts across receipts and of promo codes, from the text of
// docs/programme.md and docs/promo.md.

// tCode is a promo code with a discount, percent in hundredths or a sum, and
// how often the member has used it.
type tCode struct {
	percent, sum    int64
	goods           *tGoods
	perMember, used int64
}

// acrossRow discounts the units number N, 2N, 3N … of all that the member has
// bought: they are the cheapest of this receipt.
func (t *twin) acrossRow(r *tRule, row []*big.Rat) {
	units := r.bought
	for i := range t.r.Lines {
		l := &t.r.Lines[i]
		if !r.goods.picks(l) || t.p.cutNever != nil && t.p.cutNever.picks(l) {
			continue
		}
		units += wholeOf(l)
	}
	free := -((r.given + 500) / 1000) // parts of a unit are rounded
	for number := int64(1); number <= units; number++ {
		if number%r.take == 0 {
			free++
		}
	}
	list := t.unitsOf(r.goods, func(i int) bool { return t.room(i) > 0 })
	for len(list) > 0 && free > 0 {
		last := list[len(list)-1]
		row[last.line] = addr(row[last.line], percentOf(last.price, r.percent))
		list = list[:len(list)-1]
		free--
	}
}

// codes lets the promo codes act on what the groups have left.
func (t *twin) codes() {
	for k, c := range t.p.codes {
		name := codeName(k)
		if c.perMember > 0 && c.used >= c.perMember {
			t.res.promo = append(t.res.promo, "used_by_member")
			continue
		}
		before := t.res.discount
		if c.sum > 0 {
			t.takeMinus(&tRule{name: name, goods: c.goods, sum: c.sum})
		} else {
			row := zeros(len(t.net))
			for i := range row {
				if c.goods.picks(&t.r.Lines[i]) {
					row[i] = minr(percentOf(t.net[i], c.percent), rat(t.room(i), 1))
				}
			}
			if money := floorOf(sumOf(row)); money > 0 {
				t.take(name, money, tSpread(money, row, nil))
			}
		}
		if t.res.discount == before {
			t.res.promo = append(t.res.promo, "no_effect")
			delete(t.res.rules, "off "+name)
			continue
		}
		t.res.promo = append(t.res.promo, fmt.Sprint("off ", t.res.discount-before))
	}
}

func codeName(k int) string { return fmt.Sprint("CODE", k) }

func drawCode(t *rapid.T) tCode {
	c := tCode{goods: drawGoods(t, 4), perMember: rapid.Int64Range(0, 2).Draw(t, "per member"), used: rapid.Int64Range(0, 2).Draw(t, "used")}
	if rapid.Bool().Draw(t, "a sum") {
		c.sum = rapid.Int64Range(1, 20_000).Draw(t, "code's sum")
	} else {
		c.percent = max(drawPercent(t), 1)
	}
	return c
}

// writeCodes writes the codes as people would.
func (p *tProgram) writeCodes(w *strings.Builder) {
	if len(p.codes) == 0 {
		return
	}
	w.WriteString("promo_codes:\n")
	for k, c := range p.codes {
		give := "minus: " + hundredth(c.sum)
		if c.sum == 0 {
			give = "percent: " + hundredth(c.percent)
		}
		fmt.Fprintf(w, "  - {code: %s, give: {discount: {%s}}", codeName(k), give)
		if c.goods != nil {
			fmt.Fprintf(w, ", goods: %s", c.goods.document())
		}
		if c.perMember > 0 {
			fmt.Fprintf(w, ", per_member: %d", c.perMember)
		}
		w.WriteString("}\n")
	}
}

// counted are the member's counters that the model asks for, and the codes of
// the request.
func (p *tProgram) counted(f *Facts) {
	for _, r := range p.cuts {
		if r.kind != "across" {
			continue
		}
		for kind, n := range map[string]int64{"units": r.bought, "free units": r.given} {
			if n > 0 {
				f.Counts = booked(f.Counts, CountChange{Count: Count{Key: CountKey(kind, r.name, strconv.FormatInt(r.take, 10)), Value: n}})
			}
		}
	}
	for k, c := range p.codes {
		f.Promos = append(f.Promos, PromoUse{Code: codeName(k), Entry: k})
		if c.used > 0 {
			f.Counts = booked(f.Counts, CountChange{Count: Count{Key: PromoKey("", codeName(k), false), Value: c.used}})
		}
	}
}

// toldCodes are a decision's promo codes in the twin's words.
func toldCodes(list []protocol.PromoResult) (out []string) {
	for _, p := range list {
		if p.Refused != "" {
			out = append(out, p.Refused)
		} else {
			out = append(out, fmt.Sprint("off ", p.Discount))
		}
	}
	return out
}

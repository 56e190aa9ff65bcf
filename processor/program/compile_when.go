package program

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"tillgate/protocol"
)

// goods reads a selector and returns its number. Selectors that say the same
// share one. all if there is none.
func (c *compiler) goods(path string, n *node) int {
	s, ok := c.selector(path, n)
	if !ok {
		return all
	}
	says := fmt.Sprintf("%q %q %q %q %q %d %d", s.sku.list, s.category.list, s.brand.list, s.supplier.list, s.tag.list, s.priceFrom, s.priceBelow)
	if at, ok := c.seen[says]; ok {
		return at
	}
	c.p.selectors = append(c.p.selectors, s)
	c.seen[says] = len(c.p.selectors) - 1
	c.says = append(c.says, says)
	return c.seen[says]
}

// selector reads a selector; false if there is none.
func (c *compiler) selector(path string, n *node) (selector, bool) {
	if n == nil {
		return selector{}, false
	}
	o, ok := c.object(path, n, "sku", "category", "brand", "supplier", "tag", "price")
	if !ok {
		return selector{}, false
	}
	if len(n.keys) == 0 {
		c.fail(path, "a selector without keys picks every line; leave it out, or name a category, brand, supplier, tag, sku or price")
		return selector{}, false
	}
	s := selector{
		sku: o.names("sku"), category: o.names("category"), brand: o.names("brand"),
		supplier: o.names("supplier"), tag: o.names("tag"), priceBelow: math.MaxInt64,
	}
	if p := o.get("price"); p != nil {
		s.priced = true
		s.priceFrom, s.priceBelow = c.band(o.at("price"), p)
	}
	return s, true
}

// band reads {from, below}, money: from itself counts, below doesn't.
func (c *compiler) band(path string, n *node) (from, below int64) {
	o, _ := c.object(path, n, "from", "below")
	if !o.has("from") && !o.has("below") {
		c.fail(path, "write from, below or both")
	}
	below = math.MaxInt64
	from, _ = o.money("from", 0)
	if v, ok := o.money("below", 1); ok {
		below = v
	}
	if from >= below {
		c.fail(path, "nothing lies between %s and %s, so this can never match; widen it", unscaled(from, 2), unscaled(below, 2))
	}
	return from, below
}

// whenKeys are the conditions, in the order in which they are checked: cheap
// ones first.
var whenKeys = []string{
	"tier", "channel", "store", "store_group", "partner", "cashier", "tender", "tag", "card_type", "promo_code",
	"receipt", "weekdays", "hours", "between", "birthday", "first_purchase", "last_purchase_within",
	"last_purchase_before", "spent", "bought", "receipt_has", "since_first", "since_reached",
}

// when reads conditions; nil if there are none. reporting says that they are a
// segment's: what the account doesn't keep is asked of the reporting database.
func (c *compiler) when(path string, n *node, reporting bool) *cond {
	if n == nil {
		return nil
	}
	o, ok := c.object(path, n, whenKeys...)
	if !ok {
		return nil
	}
	out := &cond{}
	for _, k := range whenKeys {
		if !o.has(k) {
			continue
		}
		one, ok := c.condition(o, k, reporting)
		if ok {
			out.checks = append(out.checks, one)
			out.lacks = out.lacks || lackable(&one)
			out.promo = out.promo || one.kind == factPromo && !reporting
		}
	}
	c.contradictions(path, out)
	if len(out.checks) == 0 {
		return nil
	}
	return out
}

// nameFacts are the conditions that ask for one of several names.
var nameFacts = map[string]struct {
	kind    fact
	because string
}{
	"channel":     {factChannel, "the channel is not one of: %s"},
	"store":       {factStore, "the store is not one of: %s"},
	"store_group": {factStoreGroup, "the store is in none of the groups: %s"},
	"partner":     {factPartner, "the store's partner is not one of: %s"},
	"cashier":     {factCashier, "the cashier is not one of: %s"},
	"tender":      {factTender, "it is not paid by: %s"},
	"tag":         {factTag, "the member has none of the tags: %s"},
	"card_type":   {factCardType, "the card is not of the types: %s"},
}

func (c *compiler) condition(o object, name string, reporting bool) (check, bool) {
	c.p.profile = c.p.profile || !reporting && (name == "birthday" || name == "tag")
	if f, ok := nameFacts[name]; ok {
		names := o.names(name)
		return check{kind: f.kind, names: names, because: fmt.Sprintf(f.because, brief(names.list))}, true
	}
	n, path := o.get(name), o.at(name)
	switch name {
	case "tier":
		return c.tierCondition(o), true
	case "receipt":
		from, below := c.band(path, n)
		return check{kind: factReceipt, from: from, to: below, because: "the receipt's sum is out of the rule's range"}, true
	case "weekdays":
		return c.weekdays(o), true
	case "hours":
		return c.hours(path, n), true
	case "between":
		return c.between(o), true
	case "birthday":
		return c.birthday(path, n), true
	case "first_purchase":
		return check{kind: factFirst, want: o.flag(name), because: "it turns on whether this is the member's first purchase"}, true
	case "last_purchase_within":
		return check{kind: factLastWithin, within: c.window(o, name), because: "the last purchase is longer ago than " + n.text}, true
	case "last_purchase_before":
		return check{kind: factLastBefore, within: c.window(o, name), because: "the last purchase is not longer ago than " + n.text}, true
	case "spent":
		return c.spent(path, n, reporting)
	case "receipt_has":
		return c.receiptHas(path, n), true
	case "promo_code":
		return c.promoCondition(o, reporting), true
	case "bought":
		return c.boughtCondition(path, n, reporting)
	case "since_reached":
		return c.sinceReachedCondition(path, n, reporting)
	}
	return c.sinceFirstCondition(path, n, reporting)
}

// brief lists names for a sentence; a long list is cut.
func brief(names []string) string {
	if len(names) > 5 {
		return strings.Join(names[:5], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

func (c *compiler) tierCondition(o object) check {
	names := o.names("tier")
	out := check{kind: factTier, because: "the member's tier is not one of: " + brief(names.list)}
	for _, name := range names.list {
		at := c.p.tiers.find(name)
		if at < 0 {
			c.fail(o.at("tier"), "there is no level %q under `tiers`; add it, or correct the name", name)
			continue
		}
		out.levels |= 1 << at
	}
	return out
}

var dayNames = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

func (c *compiler) weekdays(o object) check {
	out := check{kind: factWeekdays}
	names := o.names("weekdays")
	out.because = "it counts on other days: " + brief(names.list)
next:
	for _, name := range names.list {
		for i, d := range dayNames {
			if d == name {
				out.weekdays |= 1 << i
				continue next
			}
		}
		c.fail(o.at("weekdays"), "%q is no weekday; write %s", name, strings.Join(dayNames, ", "))
	}
	return out
}

var hoursForm = regexp.MustCompile(`^([01][0-9]|2[0-4]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])$`)

// hours reads "09:00-12:00": the first minute counts, the last doesn't. It may
// cross midnight; then the weekday is that of the moment itself.
func (c *compiler) hours(path string, n *node) check {
	m := hoursForm.FindStringSubmatch(n.text)
	if n.kind != nodeText || m == nil {
		c.fail(path, "write hours in quotes, as \"09:00-12:00\" or \"22:00-02:00\"")
		return check{kind: factHours}
	}
	minute := func(h, m string) int64 {
		return int64(h[0]-'0')*600 + int64(h[1]-'0')*60 + int64(m[0]-'0')*10 + int64(m[1]-'0')
	}
	from, to := minute(m[1], m[2]), minute(m[3], m[4])
	if from >= 1440 || to > 1440 {
		c.fail(path, "a day ends at 24:00; write hours from 00:00 to 24:00")
	}
	if from == to {
		c.fail(path, "nothing lies between %s:%s and itself, so this can never match; widen it, or leave it out", m[1], m[2])
	}
	return check{kind: factHours, from: from, to: to, because: "it counts at other hours: " + n.text}
}

// between reads [first day, last day], both included.
func (c *compiler) between(o object) check {
	out := check{kind: factBetween}
	list := o.list("between")
	if len(list) != 2 {
		c.fail(o.at("between"), "write the first and the last day, as [2026-01-01, 2026-01-31]")
		return out
	}
	out.from, out.to = c.date(item(o.at("between"), 0), list[0]), c.date(item(o.at("between"), 1), list[1])
	if out.from > out.to {
		c.fail(o.at("between"), "the first day is after the last, so this can never match; exchange them")
	}
	out.because = "it counts on other dates: " + list[0].text + " to " + list[1].text
	return out
}

// date reads a day, as days since 1970-01-01.
func (c *compiler) date(path string, n *node) int64 {
	t, err := time.Parse(time.DateOnly, n.text)
	if n.kind != nodeText || err != nil || t.Year() < 1971 || t.Year() > 2099 {
		c.fail(path, "write a day as 2026-01-31")
		return 0
	}
	return t.Unix() / daySeconds
}

// maxBirthday is the widest birthday window on either side, in days.
const maxBirthday = 180

func (c *compiler) birthday(path string, n *node) check {
	o, _ := c.object(path, n, "before", "after")
	before, after := o.term("before", maxBirthday, Days), o.term("after", maxBirthday, Days)
	return check{
		kind: factBirthday, from: int64(before.N), to: int64(after.N),
		because: fmt.Sprintf("the birthday is not within %dd before and %dd after", before.N, after.N),
	}
}

// zeroTerm is a term of no time; 0d, 0mo and 0y are today.
var zeroTerm = regexp.MustCompile(`^0+(s|m|h)$`)

// window reads the term of a window, which may not be empty.
func (c *compiler) window(o object, name string, only ...Unit) Term {
	t := o.term(name, maxWindow, only...)
	if n := o.get(name); n != nil && zeroTerm.MatchString(n.text) {
		c.fail(o.at(name), "a window of no time holds nothing; write a longer one, or 0d for today")
	}
	return t
}

// spent reads a sum over a window of days. `at` narrows it to some stores.
func (c *compiler) spent(path string, n *node, reporting bool) (check, bool) {
	o, ok := c.object(path, n, "within", "from", "above", "at")
	if !ok {
		return check{}, false
	}
	out := check{kind: factSpent, within: c.window(o, "within", Days, Months, Years)}
	if !o.has("within") {
		c.fail(path, "say over which time: within: 180d")
	}
	switch {
	case !o.has("at"):
	case reporting: // the reporting database has all sums
		kind, names := c.placeNames(o)
		out.look = c.lookUp(look{kind: protocol.LookSpent, within: out.within, place: kind, names: names.list})
	default:
		out.places = c.placesOf(o, out.within)
	}
	if o.one("from", "above") == "above" {
		out.above = true
		out.from, _ = o.money("above", 0)
	} else {
		out.from, _ = o.money("from", 0)
	}
	out.because = "the member has spent less than that in the window"
	return out, true
}

// placeNames reads at which stores a sum is asked for. A store has one group and
// one partner, so that sums over several names count no sale twice.
func (c *compiler) placeNames(o object) (kind string, names set) {
	b, ok := c.object(o.at("at"), o.get("at"), "store_group", "store", "partner")
	if !ok {
		return "", set{}
	}
	if kind = b.one("store_group", "store", "partner"); kind == "" {
		return "", set{}
	}
	return kind, b.names(kind)
}

// placesOf are the counters of the places at which a sum is asked for.
func (c *compiler) placesOf(o object, within Term) (keys []uint64) {
	kind, names := c.placeNames(o)
	for _, name := range names.list {
		at := place{kind, name, CountKey("paid at", kind, name), int32(within.longest()/daySeconds) + 2}
		keys = append(keys, at.key)
		if k := slices.IndexFunc(c.p.places, func(p place) bool { return p.key == at.key }); k >= 0 {
			c.p.places[k].days = max(c.p.places[k].days, at.days)
		} else {
			c.p.places = append(c.p.places, at)
		}
	}
	if len(c.p.places) > maxPlaces {
		c.fail(child(o.at("at"), kind), "a programme asks for the sums of at most %d stores, groups and partners; join some into a group", maxPlaces)
	}
	return keys
}

// maxPlaces bounds the places whose sums a programme asks for: each booked sale
// looks through them.
const maxPlaces = 64

func (c *compiler) receiptHas(path string, n *node) check {
	o, _ := c.object(path, n, "goods", "quantity")
	if !o.has("goods") {
		c.fail(path, "say which goods the receipt must have: goods: {category: [tea]}")
	}
	out := check{kind: factReceiptHas, goods: c.goods(o.at("goods"), o.get("goods")), because: "the receipt lacks the goods it asks for"}
	if v, ok := o.decimal("quantity", 3, 1, maxUnits*1000); ok {
		out.quantity = v
	}
	return out
}

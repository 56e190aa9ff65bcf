package processor

import "tillgate/protocol"

// lentTags are the tags that a line had of its own before the directory's were
// put into it.
type lentTags struct {
	line int
	own  []string
}

// products fills what a line leaves out from the product directory; what the
// line says itself wins. A line without a price gets the list price, which
// price bands then look at; its amount stays. Nothing is copied: the texts and
// tags are the directory's, which never change.
func (t *Task) products() {
	r := t.request()
	d := t.s.directories.of(r.Caller.Merchant)
	if len(d.products) == 0 {
		return
	}
	for i := range r.Lines {
		l := &r.Lines[i]
		if l.SKU == "" {
			continue
		}
		p := d.products[l.SKU]
		if p == nil {
			continue
		}
		own := l.Tags
		if p.describe(l) {
			t.lent = append(t.lent, lentTags{line: i, own: own})
		}
	}
}

// describe fills what a line leaves out. It reports whether the line's tags
// are the product's now.
func (p *productRow) describe(l *protocol.Line) (lent bool) {
	l.Category = orElse(l.Category, p.Category)
	l.Brand = orElse(l.Brand, p.Brand)
	l.Supplier = orElse(l.Supplier, p.Supplier)
	if l.Unpriced && l.Price == 0 {
		l.Price = p.Price
	}
	if len(l.Tags) > 0 || len(p.Tags) == 0 {
		return false
	}
	l.Tags = p.Tags
	return true
}

// takeTagsBack gives lines that carry a product's tags their own room again:
// the edge decodes the next request into it, and must not write into the
// directory.
func (t *Task) takeTagsBack() {
	for i := range t.lent {
		t.request().Lines[t.lent[i].line].Tags = t.lent[i].own
		t.lent[i].own = nil
	}
	t.lent = t.lent[:0]
}

// orElse is a text, or another where it is empty.
func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

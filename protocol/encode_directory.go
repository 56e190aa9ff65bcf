package protocol

// directory renders a page of a directory: rows as they may be sent again,
// fields that are not there left out, and where to go on.
func (e *encoder) directory(r *Response) {
	e.open('{')
	switch r.Call {
	case CallListProducts:
		e.begin("products", '[')
		for i := range r.Products {
			e.product(&r.Products[i])
		}
	case CallListStores:
		e.begin("stores", '[')
		for i := range r.Stores {
			e.store(&r.Stores[i])
		}
	case CallListCashiers:
		e.begin("cashiers", '[')
		for i := range r.Cashiers {
			e.cashier(&r.Cashiers[i])
		}
	default:
		e.begin("templates", '[')
		for i := range r.Templates {
			e.template(&r.Templates[i])
		}
	}
	e.close(']')
	e.textOrNull("next", r.NextCursor)
	e.close('}')
}

// AppendRow appends one row of a directory as JSON: a [StoreEntry],
// [ProductEntry], [CashierEntry] or [CardTemplate], as it may be sent again.
func AppendRow[T StoreEntry | ProductEntry | CashierEntry | CardTemplate](dst []byte, row *T) []byte {
	e := encoder{dst: dst}
	switch row := any(row).(type) {
	case *StoreEntry:
		e.store(row)
	case *ProductEntry:
		e.product(row)
	case *CashierEntry:
		e.cashier(row)
	case *CardTemplate:
		e.template(row)
	}
	return e.dst
}

func (e *encoder) store(s *StoreEntry) {
	e.open('{')
	e.text("id", s.ID)
	e.present("timezone", s.Timezone)
	e.present("group", s.Group)
	e.present("partner", s.Partner)
	e.close('}')
}

func (e *encoder) cashier(c *CashierEntry) {
	e.open('{')
	e.text("id", c.ID)
	e.present("name", c.Name)
	e.present("store", c.Store)
	e.present("card", c.Card)
	e.close('}')
}

func (e *encoder) template(t *CardTemplate) {
	e.open('{')
	e.text("id", t.ID)
	e.text("pattern", t.Pattern)
	e.text("check", t.Check)
	e.present("type", t.Type)
	e.present("valid", t.Valid)
	e.close('}')
}

// present writes a text that is there.
func (e *encoder) present(name, t string) {
	if t != "" {
		e.text(name, t)
	}
}

func (e *encoder) product(p *ProductEntry) {
	e.open('{')
	e.text("sku", p.SKU)
	e.present("name", p.Name)
	e.present("category", p.Category)
	e.present("brand", p.Brand)
	e.present("supplier", p.Supplier)
	if len(p.Tags) > 0 {
		e.texts("tags", p.Tags)
	}
	if p.HasPrice {
		e.number("price", p.Price)
	}
	e.close('}')
}

// cardBatch renders the numbers of new cards.
func (e *encoder) cardBatch(r *Response) {
	e.open('{')
	e.textOrNull("id", r.ID)
	e.textOrNull("template", r.Template)
	e.textOrNull("type", r.Card.Type)
	e.textOrNull("state", r.Card.State)
	e.number("count", r.Count)
	e.texts("numbers", r.Numbers)
	e.close('}')
}

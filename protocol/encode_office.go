package protocol

// coupons renders the codes of new coupons.
func (e *encoder) coupons(r *Response) {
	e.open('{')
	e.textOrNull("id", r.ID)
	e.textOrNull("serial", r.Series)
	e.number("count", r.Count)
	e.texts("codes", r.Numbers)
	e.close('}')
}

// shift renders a shift's close. Where the totals differ it carries the
// host's, and the receipts that may explain it; the shift stays open.
func (e *encoder) shift(r *Response) {
	e.open('{')
	e.boolean("matched", r.Matched)
	if r.Matched {
		e.close('}')
		return
	}
	e.text("code", TotalsDiffer.String())
	e.text("iso", TotalsDiffer.ISO())
	e.begin("totals", '{')
	e.countTotal("sales", r.Totals.SalesCount, r.Totals.Sales)
	e.countTotal("returns", r.Totals.ReturnsCount, r.Totals.Returns)
	e.countTotal("redeemed", r.Totals.RedeemedCount, r.Totals.Redeemed)
	e.countTotal("given_back", r.Totals.GivenBackCount, r.Totals.GivenBack)
	e.number("net", r.Totals.Net)
	e.close('}')
	e.begin("differences", '[')
	for i := range r.Differences {
		d := &r.Differences[i]
		e.open('{')
		e.textOrNull("receipt", d.Receipt)
		e.textOrNull("id", d.Operation)
		e.textOrNull("status", d.Status)
		e.text("because", d.Because)
		e.number("total", d.Total)
		e.number("redeemed", d.Redeemed)
		e.close('}')
	}
	e.close(']')
	e.close('}')
}

func (e *encoder) countTotal(name string, count, total int64) {
	e.begin(name, '{')
	e.number("count", count)
	e.number("total", total)
	e.close('}')
}

// parked renders what waits for the office.
func (e *encoder) parked(r *Response) {
	e.open('{')
	e.begin("parked", '[')
	for i := range r.Parked {
		p := &r.Parked[i]
		e.open('{')
		e.text("id", p.ID)
		e.text("kind", p.Kind)
		e.text("because", p.Because)
		e.textOrNull("status", p.Status)
		e.textOrNull("authorization", p.Authorization)
		e.textOrNull("terminal", p.Terminal)
		e.textOrNull("store", p.Store)
		e.textOrNull("receipt", p.Receipt)
		e.textOrNull("shift", p.Shift)
		e.textOrNull("member", p.Member)
		e.number("total", p.Total)
		e.redeemed(p.Redeemed, p.RedeemedMoney)
		e.number("points", p.Points)
		e.instant("since", p.Since)
		e.close('}')
	}
	e.close(']')
	e.textOrNull("next", r.NextCursor)
	e.close('}')
}

// blocks renders the block list.
func (e *encoder) blocks(r *Response) {
	e.open('{')
	e.begin("blocks", '[')
	for i := range r.Blocks {
		b := &r.Blocks[i]
		e.open('{')
		e.textOrNull("terminal", b.Terminal)
		e.textOrNull("cashier", b.Cashier)
		e.text("reason", b.Reason)
		e.textOrNull("by", b.By)
		e.instant("since", b.Since)
		e.instant("until", b.Until)
		e.close('}')
	}
	e.close(']')
	e.close('}')
}

// published renders which version a programme has become, and what its
// publishing changed beside it (how long keys are kept).
func (e *encoder) published(r *Response) {
	e.open('{')
	if len(r.Versions) > 0 {
		e.version(&r.Versions[0])
	} else {
		e.number("version", int64(r.ProgramVersion))
	}
	e.texts("warnings", r.Warnings)
	e.close('}')
}

func (e *encoder) version(v *ProgramVersion) {
	e.number("version", int64(v.Version))
	e.textOrNull("program", v.Name)
	e.instant("effective_from", v.EffectiveFrom)
	e.instant("published_at", v.Published)
	e.textOrNull("hash", v.Hash)
	e.textOrNull("published_by", v.Actor)
	e.boolean("in_force", v.InForce)
}

func (e *encoder) versions(r *Response) {
	e.open('{')
	e.begin("versions", '[')
	for i := range r.Versions {
		e.open('{')
		e.version(&r.Versions[i])
		e.close('}')
	}
	e.close(']')
	e.close('}')
}

// changes renders what two versions differ in. What one of them lacks is null
// there.
func (e *encoder) changes(r *Response) {
	e.open('{')
	for i, name := range []string{"from", "to"} {
		if i < len(r.Versions) {
			e.number(name, int64(r.Versions[i].Version))
		}
	}
	e.begin("differences", '[')
	for i := range r.Changes {
		c := &r.Changes[i]
		e.open('{')
		e.text("path", c.Path)
		e.raw("before", c.Before)
		e.raw("after", c.After)
		e.close('}')
	}
	e.close(']')
	e.close('}')
}

// checked renders the complaints about a draft; none means it may be
// published.
func (e *encoder) checked(r *Response) {
	e.open('{')
	e.problems(r.Problems)
	e.close('}')
}

func (e *encoder) problems(problems []Problem) {
	e.begin("errors", '[')
	for i := range problems {
		e.open('{')
		e.text("path", problems[i].Path)
		e.text("message", problems[i].Message)
		e.close('}')
	}
	e.close(']')
}

// merged renders how many rows a directory has taken.
func (e *encoder) merged(r *Response) {
	e.open('{')
	e.number("merged", r.Count)
	e.close('}')
}

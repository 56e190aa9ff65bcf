package protocol

// whatIf renders a replay's report.
func (e *encoder) whatIf(w *WhatIf) {
	e.open('{')
	e.textOrNull("program", w.Program)
	e.instant("from", w.From)
	e.instant("to", w.To)
	e.shares("receipts", w.Receipts)
	e.shares("members", w.Members)
	e.replayed("real", w.Real)
	e.replayed("draft", w.Draft)
	e.replayed("difference", w.Draft.Minus(w.Real))
	e.begin("rules", '[')
	for i := range w.Rules {
		r := &w.Rules[i]
		e.open('{')
		e.text("rule", r.Rule)
		e.ruleFigures("real", r.Real)
		e.ruleFigures("draft", r.Draft)
		e.ruleFigures("difference", r.Draft.Minus(r.Real))
		e.close('}')
	}
	e.close(']')
	e.begin("guessed", '{')
	e.number("forgotten", w.Guessed.Forgotten)
	e.number("declined", w.Guessed.Declined)
	e.number("moved", w.Guessed.Moved)
	e.number("older", w.Guessed.Older)
	e.close('}')
	e.begin("unknown", '[')
	for _, p := range w.Unknown {
		e.open('{')
		e.text("path", p.Path)
		e.text("message", p.Message)
		e.close('}')
	}
	e.close(']')
	e.close('}')
}

func (e *encoder) shares(name string, s WhatIfShares) {
	e.begin(name, '{')
	e.number("total", s.Total)
	e.number("better", s.Better)
	e.number("worse", s.Worse)
	e.text("better_percent", Percent(s.Better, s.Total))
	e.text("worse_percent", Percent(s.Worse, s.Total))
	e.close('}')
}

func (e *encoder) replayed(name string, f WhatIfFigures) {
	e.begin(name, '{')
	e.number("payable", f.Payable)
	e.number("discount", f.Discount)
	e.number("earned", f.Earned)
	e.number("gifts", f.Gifts)
	e.number("rewards", f.Rewards)
	e.number("redeemed", f.Redeemed)
	e.number("redeemed_money", f.RedeemedMoney)
	e.number("expired", f.Expired)
	e.number("liability", f.Liability)
	e.number("worth", f.Worth)
	e.number("owed", f.Owed)
	e.close('}')
}

func (e *encoder) ruleFigures(name string, f WhatIfRuleFigures) {
	e.begin(name, '{')
	e.number("receipts", f.Receipts)
	e.number("points", f.Points)
	e.number("discount", f.Discount)
	e.close('}')
}

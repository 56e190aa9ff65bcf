package processor

import (
	"strconv"
	"time"

	"tillgate/protocol"
)

// guard does what an office does about cashiers and the block list: cashier C7
// card=4000007, block T1 reason=… until=…, block cashier C7, lift T1, blocks.
func (d *day) guard(w words) []string {
	calls := map[string]protocol.Call{
		"cashier": protocol.CallPutCashiers, "block": protocol.CallPutBlock, "lift": protocol.CallDeleteBlock, "blocks": protocol.CallListBlocks,
	}
	r := d.office(calls[w.verb], "")
	switch {
	case w.verb == "cashier":
		r.Cashiers = []protocol.CashierEntry{{ID: w.about[0], Card: w.args["card"]}}
		return d.brief(d.ask(r))
	case len(w.about) == 2:
		r.Cashier = w.about[1]
	case len(w.about) == 1:
		r.Terminal = w.about[0]
	}
	r.Reason, r.Caller.Key = w.args["reason"], "office"
	if until := w.args["until"]; until != "" {
		r.Until = protocol.Time{Unix: d.date(until), Offset: 5 * 3600, Set: true}
	}
	res := d.ask(r)
	if !res.Code.OK() {
		return tell(res)
	}
	var out []string
	for _, b := range res.Blocks {
		s := "terminal " + b.Terminal
		if b.Cashier != "" {
			s = "cashier " + b.Cashier
		}
		s += ": " + b.Reason
		if b.By != "" {
			s += ", by " + b.By
		}
		if b.Until != 0 {
			s += ", until " + time.Unix(0, b.Until).In(almaty).Format("2006-01-02 15:04")
		}
		out = append(out, s)
	}
	return append(out, strconv.Itoa(len(out))+" blocked")
}

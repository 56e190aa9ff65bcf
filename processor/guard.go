package processor

import (
	"encoding/binary"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// The guard's part of a decision. Limits per member and card are judged by the
// programme, with the account in hand; here are the counters that all accounts
// share, what a passed limit leads to, and the block list.

// Flags of requests from a terminal or cashier that is on the block list.
const (
	flagTerminalBlocked = "terminal_blocked"
	flagCashierBlocked  = "cashier_blocked"
)

// ban is a terminal or cashier that this operation puts on the block list.
type ban struct {
	subject program.Subject
	rule    string
	until   int64 // unix ns
}

// knowGuard fills the facts that only a guard asks for.
func (t *Task) knowGuard(kind protocol.IdentifierKind) error {
	if t.version.Program == nil {
		return nil
	}
	needs := t.version.Program.GuardNeeds()
	r := t.request()
	if needs.Card && kind == protocol.ByCard && r.Member.Value != "" {
		key := t.s.ledger.Hash("guard card", r.Caller.Merchant, normalCard(r.Member.Value))
		t.facts.Card = max(binary.BigEndian.Uint64(key[:]), 1)
	}
	if !needs.OwnCard || r.Cashier == "" {
		return nil
	}
	own := t.s.directories.of(r.Caller.Merchant).cashiers[r.Cashier].card
	if own == (ledger.Key{}) {
		return nil
	}
	if kind == protocol.ByCard && r.Member.Value != "" {
		t.facts.OwnCard = own == t.cardKey(r.Member.Value)
		return nil
	}
	// Named otherwise, it may still be the account that the cashier's card
	// belongs to.
	link, found, err := t.s.link(own)
	t.facts.OwnCard = found && link.Account == t.who.account
	return err
}

// watch compares the shared counters of a decision with their limits, and
// flags op where one is passed. The record that follows must carry the
// decision's counts. reserved are those of the hold that it replaces.
func (t *Task) watch(tx *ledger.Tx, op *ledger.Operation, reserved []ledger.CountChange) error {
	d := &t.decision
	for i := range d.Watches {
		w := &d.Watches[i]
		ch := &d.Counts[w.Count]
		var total int64
		var err error
		if t.request().Call == protocol.CallQuote {
			total, err = tx.Shared(ch.Key, ch.Until)
			total += ch.Value
		} else {
			// Counted in advance: of two tills at the same moment each gets a
			// number of its own.
			total, _, err = tx.Take(ch.Key, ch.Until, ch.Value, 0)
		}
		if err != nil {
			return err
		}
		for _, r := range reserved {
			if r.Shared && r.Key == ch.Key && r.Until == ch.Until {
				total -= r.Value
			}
		}
		if total <= w.Limit {
			continue
		}
		op.Flags = append(op.Flags, w.Rule)
		if w.Block {
			t.bans = append(t.bans, ban{w.Subject, w.Rule, w.Until})
		}
	}
	return nil
}

// barred reports whether the request comes from a terminal or cashier on the
// block list, and refuses it. A message that tells of what has happened is
// flagged and goes on.
func (t *Task) barred(now int64) bool {
	r := t.request()
	subject, on := t.s.blocks.bars(r, now)
	if !on {
		return false
	}
	flag, field, detail := flagTerminalBlocked, "terminal", "the terminal is blocked; the office can let it go on"
	if subject == program.PerCashier {
		flag, field, detail = flagCashierBlocked, "cashier", "the cashier is blocked; the office can let it go on"
	}
	t.flags = append(t.flags, flag)
	if r.Offline || r.ISO.Advice {
		return false
	}
	t.refuse(protocol.LimitExceededCount, field, detail)
	return true
}

// unknownReturn counts a return of a receipt that was never sold.
func (t *Task) unknownReturn(tx *ledger.Tx, op *ledger.Operation) error {
	op.Flags = append(op.Flags, flagNoSale)
	v, ok := t.s.programs.at(op.Merchant, t.when.now)
	if !ok || !v.Program.GuardNeeds().Returns {
		return nil
	}
	t.facts.Zone = t.when.zone
	program.UnknownReturn(v.Program, &t.facts, t.request(), t.when.now, &t.decision)
	if len(t.decision.Counts) == 0 {
		return nil
	}
	op.Account = 0 // whoever it was
	t.beside(op)
	return t.watch(tx, op, nil)
}

// ban puts what the recorded operation has led to on the block list.
func (t *Task) ban() {
	r := t.request()
	for _, b := range t.bans {
		id := r.Terminal
		if b.subject == program.PerCashier {
			id = r.Cashier
		}
		t.s.blocks.ban(blockID{r.Caller.Merchant, b.subject, id}, b, t.op.Time)
	}
}

package processor

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// The block list: terminals and cashiers that sell nothing, because a rule of
// the guard says so or the office does. It is read by every request, so it is
// a snapshot in memory; it lives as rows of a directory in the ledger.

// dirBlocks is the directory kind of the block list's rows. It is on disk.
const dirBlocks byte = 'b'

// maxBlocks bounds the list of all merchants: it is copied with each change.
const maxBlocks = 10_000

// blockID is what is blocked: a merchant's terminal or cashier.
type blockID struct {
	merchant string
	subject  program.Subject
	id       string
}

// row is the id of the block's row in the directory.
func (b blockID) row() string { return b.subject.String() + ":" + b.id }

// block is why and until when; the row's data, JSON.
type block struct {
	Since  int64  `json:"since"`           // unix ns
	Until  int64  `json:"until,omitempty"` // unix ns; 0: until it is lifted
	Reason string `json:"reason"`          // the office's, or the guard rule's name
	By     string `json:"by,omitempty"`    // name of the API key; "" for the guard
}

// live reports whether the block still holds.
func (b *block) live(now int64) bool { return b.Until == 0 || b.Until > now }

// blocks is the block list of all merchants.
type blocks struct {
	ledger *ledger.Ledger
	log    *slog.Logger
	write  sync.Mutex // one change at a time, memory and ledger alike
	list   atomic.Pointer[map[blockID]block]
	saves  sync.WaitGroup
}

func newBlocks(l *ledger.Ledger, log *slog.Logger) (*blocks, error) {
	b := &blocks{ledger: l, log: log}
	merchants, err := l.DirectoryMerchants()
	if err != nil {
		return nil, err
	}
	all := map[blockID]block{}
	for _, merchant := range merchants {
		var bad error
		err := l.Directory(dirBlocks, merchant, func(row ledger.DirectoryRow) bool {
			subject, id, _ := strings.Cut(row.ID, ":")
			what := blockID{merchant, program.PerTerminal, strings.Clone(id)}
			if subject == program.PerCashier.String() {
				what.subject = program.PerCashier
			}
			var one block
			if bad = json.Unmarshal(row.Data, &one); bad == nil {
				all[what] = one
			}
			return bad == nil
		})
		if err = errors.Join(err, bad); err != nil {
			return nil, fmt.Errorf("the block list of merchant %q: %w", merchant, err)
		}
	}
	b.list.Store(&all)
	return b, nil
}

// bars finds a live block of the request's terminal or cashier.
func (b *blocks) bars(r *protocol.Request, now int64) (program.Subject, bool) {
	all := *b.list.Load()
	if len(all) == 0 {
		return 0, false
	}
	for _, id := range [...]blockID{
		{r.Caller.Merchant, program.PerTerminal, r.Terminal}, {r.Caller.Merchant, program.PerCashier, r.Cashier},
	} {
		if one, on := all[id]; on && one.live(now) {
			return id.subject, true
		}
	}
	return 0, false
}

var errBlocksFull = errors.New("the block list is full; lift what is over")

// put changes the list in memory: nil lifts a block. It reports whether
// anything was changed. The caller holds the lock and saves.
func (b *blocks) put(id blockID, one *block, now int64) (bool, error) {
	old := *b.list.Load()
	_, was := old[id]
	if one == nil && !was {
		return false, nil
	}
	next := maps.Clone(old)
	maps.DeleteFunc(next, func(_ blockID, b block) bool { return !b.live(now) })
	if one == nil {
		delete(next, id)
	} else {
		if len(next) >= maxBlocks && !was {
			return false, errBlocksFull
		}
		id.merchant, id.id = strings.Clone(id.merchant), strings.Clone(id.id)
		next[id] = *one
	}
	b.list.Store(&next)
	return true, nil
}

// save writes the block as the list has it: the last to save is right.
func (b *blocks) save(actor string, id blockID) error {
	row := ledger.DirectoryRow{ID: id.row()}
	if one, on := (*b.list.Load())[id]; on {
		data, err := json.Marshal(one)
		if err != nil {
			return err
		}
		row.Data = data
	}
	return b.ledger.PutDirectory(actor, dirBlocks, id.merchant, row)
}

// ban blocks by the guard: at once in memory, and on disk as soon as may be.
// A block that stands longer stays.
func (b *blocks) ban(id blockID, why ban, now int64) {
	b.write.Lock()
	defer b.write.Unlock()
	if was, on := (*b.list.Load())[id]; on && (was.Until == 0 || was.Until >= why.until) {
		return
	}
	_, err := b.put(id, &block{Since: now, Until: why.until, Reason: strings.Clone(why.rule)}, now)
	if err != nil {
		b.log.Error("the guard can't block", "subject", id.subject.String(), "id", id.id, "rule", why.rule, "cause", err)
		return
	}
	id.merchant, id.id = strings.Clone(id.merchant), strings.Clone(id.id)
	b.log.Warn("the guard has blocked", "merchant", id.merchant, "subject", id.subject.String(), "id", id.id, "rule", why.rule)
	b.saves.Go(func() {
		b.write.Lock()
		defer b.write.Unlock()
		if err := b.save("", id); err != nil {
			b.log.Error("a block is not on disk; it ends with the process", "subject", id.subject.String(), "id", id.id, "cause", err)
		}
	})
}

var (
	_ = serve(protocol.CallListBlocks, plan{direct: listBlocks})
	_ = serve(protocol.CallPutBlock, plan{direct: putBlock})
	_ = serve(protocol.CallDeleteBlock, plan{direct: deleteBlock})
)

// named is the terminal or cashier that a call about the list means.
func (t *Task) named() blockID {
	r := t.request()
	if r.Terminal != "" {
		return blockID{r.Caller.Merchant, program.PerTerminal, r.Terminal}
	}
	return blockID{r.Caller.Merchant, program.PerCashier, r.Cashier}
}

// putBlock blocks a terminal or cashier by hand.
func putBlock(t *Task) error {
	r, b, now := t.request(), t.s.blocks, t.s.o.Clock()
	if r.Until.Set && r.Until.Unix <= now {
		t.refuse(protocol.OutsideTimeWindow, "until", "lies in the past")
		return nil
	}
	one := block{Since: now, Reason: strings.Clone(r.Reason), By: strings.Clone(r.Caller.Key)}
	if r.Until.Set {
		one.Until = r.Until.Unix
	}
	return t.changeBlock(b, &one)
}

// deleteBlock lifts a block.
func deleteBlock(t *Task) error { return t.changeBlock(t.s.blocks, nil) }

// changeBlock puts or lifts the block that the request names, writes it down
// and answers the list as it is now.
func (t *Task) changeBlock(b *blocks, one *block) error {
	id, now := t.named(), t.s.o.Clock()
	b.write.Lock()
	changed, err := b.put(id, one, now)
	if err == nil && changed {
		err = b.save(t.request().Caller.Key, id)
	}
	b.write.Unlock()
	switch {
	case errors.Is(err, errBlocksFull):
		t.refuse(protocol.Overloaded, "", err.Error())
		return nil
	case err != nil:
		return err
	case !changed:
		t.refuse(protocol.NotFound, "", "it is not on the block list")
		return nil
	}
	what := "blocked by hand"
	if one == nil {
		what = "a block is lifted"
	}
	r := t.request()
	b.log.Info(what, "merchant", id.merchant, "subject", id.subject.String(), "id", id.id, "by", r.Caller.Key)
	return listBlocks(t)
}

// listBlocks answers the merchant's list, terminals first, by id.
func listBlocks(t *Task) error {
	r, out, now := t.request(), t.response(), t.s.o.Clock()
	for id, one := range *t.s.blocks.list.Load() {
		if id.merchant != r.Caller.Merchant || !one.live(now) {
			continue
		}
		v := protocol.BlockView{Since: one.Since, Until: one.Until, Reason: one.Reason, By: one.By}
		if id.subject == program.PerTerminal {
			v.Terminal = id.id
		} else {
			v.Cashier = id.id
		}
		out.Blocks = append(out.Blocks, v)
	}
	slices.SortFunc(out.Blocks, func(a, b protocol.BlockView) int {
		return cmp.Or(strings.Compare(a.Cashier, b.Cashier), strings.Compare(a.Terminal, b.Terminal))
	})
	return nil
}

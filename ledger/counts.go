package ledger

import (
	"cmp"
	"math"
	"slices"
)

const (
	// MaxCounts bounds the counters of one account, because they are part of
	// its record: eight rules that look back 400 days, one counter a day each,
	// and some hundred promo codes fit. Where there would be more, the oldest are
	// forgotten (see crowd).
	MaxCounts = 4096
	// roomCounts is how many go then, so that it doesn't happen every time.
	roomCounts = 256
	// MaxUpline is how many members above are kept: a referral may be rewarded
	// as many levels deep.
	MaxUpline = 10
)

// Count is a counter that a rule keeps of an account: units bought, uses of a
// promo code, operations of a day. What it counts, and in what unit, is the
// programme's to say.
type Count struct {
	Key    uint64 // what is counted
	Bucket int32  // the day or hour it counts for; 0 if there is one for all time
	Value  int64  // never zero or less: such a counter is gone
	At     int64  // business date of what it counted first, unix ns; 0 for none
	Until  int32  // last UTC day (since 1970-01-01) on which it matters; 0 for ever
}

// CountChange changes one counter: Value is added, or with Set it and the
// dates replace what was there. A counter that falls to zero is removed, and
// taking from one that is gone changes nothing: it has been forgotten.
type CountChange struct {
	Count
	Set bool
	// Raise keeps the later of two marks instead of adding them: what was
	// counted later by its date, of one date the larger. A merge brings marks so,
	// like the year of the last birthday's gift.
	Raise bool
	// Shared counts it for the merchant too, over all accounts
	// ([Tx.Take]); Apart for the merchant alone: the account keeps no counter.
	Shared, Apart bool
	// Gone says that the sale which a record is about has the counter no more,
	// because another has it now: nothing is counted, and no return takes it
	// back. Value is 0.
	Gone bool
	// Line is the number, from 1, of the line of the operation that it belongs
	// to: a return of the line takes its share back. 0: the whole sale's.
	Line uint16
}

func compareCounts(a, b Count) int {
	if c := cmp.Compare(a.Key, b.Key); c != 0 {
		return c
	}
	return cmp.Compare(a.Bucket, b.Bucket)
}

// addCount changes a counter in an ordered list.
func addCount(counts []Count, ch CountChange) []Count {
	i, found := slices.BinarySearchFunc(counts, ch.Count, compareCounts)
	switch {
	case !found && ch.Value <= 0:
		return counts
	case !found:
		return slices.Insert(counts, i, ch.Count)
	case ch.Raise && (ch.At < counts[i].At || ch.At == counts[i].At && ch.Value <= counts[i].Value):
	case ch.Set || ch.Raise:
		counts[i] = ch.Count
	default:
		c := &counts[i]
		c.Value += ch.Value
		if c.Until != 0 && (ch.Until == 0 || ch.Until > c.Until) {
			c.Until = ch.Until
		}
	}
	if counts[i].Value <= 0 {
		counts = slices.Delete(counts, i, i+1)
	}
	return counts
}

// Marked is the moment (Count.At, unix ns) of the counter that stands under a key
// alone, as changes that set it have left it, else as it is among counts; 0 if it
// is not there.
func Marked(key uint64, changes []CountChange, counts []Count) int64 {
	for i := len(changes) - 1; i >= 0; i-- {
		if ch := &changes[i]; ch.Set && ch.Key == key && ch.Bucket == 0 {
			if ch.Value == 0 {
				return 0
			}
			return ch.At
		}
	}
	if i, found := slices.BinarySearchFunc(counts, Count{Key: key}, compareCounts); found {
		return counts[i].At
	}
	return 0
}

// applyCounts changes the account's counters, and forgets those whose day is
// over.
func applyCounts(a *Account, op *Operation) {
	if len(op.Counts) == 0 {
		return
	}
	today := dayOf(op.Time)
	a.Counts = slices.DeleteFunc(a.Counts, func(c Count) bool { return c.Until != 0 && c.Until < today })
	for _, ch := range op.Counts {
		if ch.Apart || ch.Gone || ch.Until != 0 && ch.Until < today {
			continue
		}
		a.Counts = addCount(a.Counts, ch)
	}
	if len(a.Counts) > MaxCounts {
		a.Counts = crowd(a.Counts, today)
	}
}

// crowd makes room among an account's counters: a member who has that many is
// served all the same, and a merge that brings them is booked. First go those
// of windows that end soonest, the oldest days of what rules look back on; then,
// of what counts for ever, what began longest ago. What limits the present
// day or hour stays.
func crowd(counts []Count, today int32) []Count {
	class := func(c *Count) int {
		switch {
		case c.Until > today+1:
			return 0
		case c.Until == 0:
			return 1
		}
		return 2
	}
	oldest := slices.Clone(counts)
	slices.SortFunc(oldest, func(a, b Count) int {
		return cmp.Or(cmp.Compare(class(&a), class(&b)), cmp.Compare(a.Until, b.Until), cmp.Compare(a.At, b.At), compareCounts(a, b))
	})
	gone := oldest[:len(counts)-MaxCounts+roomCounts]
	slices.SortFunc(gone, compareCounts)
	return slices.DeleteFunc(counts, func(c Count) bool {
		_, found := slices.BinarySearchFunc(gone, c, compareCounts)
		return found
	})
}

// dayOf is the UTC day of a moment, unix ns.
func dayOf(at int64) int32 {
	const day = 24 * 60 * minute
	n := at / day
	if at%day < 0 {
		n--
	}
	return int32(max(math.MinInt32, min(math.MaxInt32, n)))
}

// countsOwn reports whether op changes counters of an account. What is shared
// is counted for the merchant also by a record that is about nobody, even a
// decline: a return of a receipt that was never sold.
func countsOwn(op *Operation) bool {
	if op.Account != 0 {
		return len(op.Counts) > 0
	}
	return slices.ContainsFunc(op.Counts, func(ch CountChange) bool { return !ch.Shared })
}

// checkCounts refuses changes that no decider may mean.
func checkCounts(op *Operation) error {
	for i := range op.Counts {
		ch := &op.Counts[i]
		switch {
		case ch.Gone && (op.Kind != KindReverse || ch.Value != 0 || ch.Set || ch.Raise):
			return refuse(op, "a sale loses a counter by a reversal alone")
		case ch.Gone:
		case outside(ch.Value) || ch.Value == 0 && !ch.Set || ch.Until < 0 || ch.At < 0:
			return refuse(op, "a counter changes by %d", ch.Value)
		case ch.Set && (op.Hold != 0 || ch.Shared || ch.Value < 0):
			return refuse(op, "a counter that is set can be neither reserved nor shared")
		case ch.Raise && (op.Kind != KindPostIn || ch.Set || ch.Shared || ch.Value < 0):
			return refuse(op, "a mark is raised by what a merge brings alone")
		case ch.Apart && !ch.Shared:
			return refuse(op, "a counter apart from the account is shared")
		case op.Hold != 0 && ch.Value < 0:
			return refuse(op, "a hold reserves %d of a counter", ch.Value)
		case int(ch.Line) > len(op.Lines):
			return refuse(op, "a counter belongs to line %d", ch.Line)
		}
	}
	return nil
}

// Of what the record of a counter takes at least: its flags and five numbers.
const (
	countChangeMin = 6
	countMin       = 5
)

const (
	countSet = 1 << iota
	countShared
	countHasKey // in an account: the key differs from that of the one before
	countRaise
	countApart
	countGone
)

func countChangeItem(c *coder, ch *CountChange) {
	var flags byte
	if ch.Set {
		flags |= countSet
	}
	if ch.Shared {
		flags |= countShared
	}
	if ch.Raise {
		flags |= countRaise
	}
	if ch.Apart {
		flags |= countApart
	}
	if ch.Gone {
		flags |= countGone
	}
	c.byte(&flags)
	if flags&^(countSet|countShared|countRaise|countApart|countGone) != 0 {
		c.fail("a malformed flag")
	}
	ch.Set, ch.Shared, ch.Raise = flags&countSet != 0, flags&countShared != 0, flags&countRaise != 0
	ch.Apart, ch.Gone = flags&countApart != 0, flags&countGone != 0
	line := uint32(ch.Line)
	c.uint32(&line)
	if line > math.MaxUint16 {
		c.fail("a number out of range")
	}
	ch.Line = uint16(line)
	c.fixed(&ch.Key)
	countRest(c, &ch.Count)
}

func countRest(c *coder, n *Count) {
	c.int32(&n.Bucket)
	c.int64(&n.Value)
	c.moment(&n.At)
	c.int32(&n.Until)
}

// optCounts visits an account's counters. They are ordered by key, and one
// rule may have many: a key stands once, in front of the first.
func optCounts(c *coder, counts *[]Count) {
	if !c.has(len(*counts) != 0) {
		if c.reading {
			*counts = (*counts)[:0]
		}
		return
	}
	key := uint64(0)
	first := true
	items(c, counts, countMin, func(c *coder, n *Count) {
		var flag byte
		if !c.reading && (first || n.Key != key) {
			flag = countHasKey
		}
		c.byte(&flag)
		switch flag {
		case countHasKey:
			before := key
			c.fixed(&n.Key)
			if c.reading && !first && n.Key <= before {
				c.fail("counters out of order")
			}
		case 0:
			if first {
				c.fail("a counter without a key")
			}
			n.Key = key
		default:
			c.fail("a malformed flag")
		}
		key, first = n.Key, false
		countRest(c, n)
	})
	c.need(len(*counts) != 0)
}

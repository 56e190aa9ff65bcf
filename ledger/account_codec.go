package ledger

import "encoding/binary"

// An account, version 1:
//
//	offset  size  what
//	0       1     'A'
//	1       1     1
//	2       1     flags: 1 registered, 2 erased
//	3       1     0, for later
//	4       8     account id
//	12      8     through: everything due up to it is in the journal, unix ns
//	20      8     id of its newest operation
//	28      8     presence of the fields that follow, bit 0 first
//	36      …     the present fields, in the order of accountFields
const (
	accountVersion = 1
	accountMask    = 28
	accountHeader  = 36
)

const (
	flagAccountRegistered = 1 << iota
	flagAccountErased
)

func appendAccount(dst []byte, a *Account) []byte {
	start := len(dst)
	c := writer(dst, tagAccount, accountVersion)
	var flags byte
	if a.Registered {
		flags |= flagAccountRegistered
	}
	if a.Erased {
		flags |= flagAccountErased
	}
	c.buf = append(c.buf, flags, 0)
	c.account(&a.ID)
	c.time(&a.Through)
	c.op(&a.Last)
	c.buf = append(c.buf, 0, 0, 0, 0, 0, 0, 0, 0)
	accountFields(c, a)
	binary.BigEndian.PutUint64(c.buf[start+accountMask:], c.mask)
	return c.finish()
}

// decodeAccount reads an account, using the room of its lists.
func decodeAccount(rec []byte, a *Account) error {
	c, err := reader(rec, tagAccount, accountVersion)
	if err != nil {
		return err
	}
	if len(rec) < accountHeader {
		c.fail("shorter than its header")
		return c.err
	}
	a.Registered, a.Erased = rec[2]&flagAccountRegistered != 0, rec[2]&flagAccountErased != 0
	if rec[2]&^(flagAccountRegistered|flagAccountErased) != 0 || rec[3] != 0 {
		c.fail("a malformed header")
	}
	c.pos = 4
	c.account(&a.ID)
	c.time(&a.Through)
	c.op(&a.Last)
	c.fixed(&c.mask)
	accountFields(c, a)
	if c.mask != 0 {
		c.fail("an unknown field")
	}
	return c.end()
}

func accountFields(c *coder, a *Account) {
	c.optString(&a.Merchant)
	c.optAccount(&a.Into)
	c.optTime(&a.Created)
	c.optTime(&a.Joined)
	optList(c, &a.Upline, 8, accountItem)
	optList(c, &a.Lots, partMin, partItem)
	optList(c, &a.Holds, holdMin, holdItem)
	c.optInt(&a.Deficit)
	c.optString(&a.Tier)
	c.optTime(&a.TierUntil)
	c.optInt(&a.Lifetime)
	optDays(c, &a.Days)
	c.optUint32(&a.Purchases)
	c.optTime(&a.LastPurchase)
	c.optTime(&a.FirstPurchase)
	c.optInt(&a.Scheduled)
	optCounts(c, &a.Counts)
	c.optTime(&a.Wake)
}

const holdMin = 26

func holdItem(c *coder, h *Hold) {
	c.op(&h.ID)
	c.op(&h.Op)
	c.time(&h.Until)
	items(c, &h.Pins, partMin, partItem)
	items(c, &h.Counts, countChangeMin, countChangeItem)
}

// optDays visits an account's sums by day, which are in order: each day is
// counted from the one before it.
func optDays(c *coder, days *[]DaySum) {
	last := int32(0)
	first := true
	optList(c, days, daySumMin, func(c *coder, d *DaySum) {
		step := d.Day - last
		c.int32(&step)
		if c.reading && !first && step <= 0 {
			c.fail("days out of order")
		}
		d.Day = last + step
		c.int64(&d.Spent)
		last, first = d.Day, false
	})
}

package ledger

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// A journal record, version 1:
//
//	offset  size  what
//	0       1     'J'
//	1       1     1
//	2       1     kind of the operation
//	3       1     code: the answer
//	4       1     render: version of the answer's encoder
//	5       1     edge
//	6       1     flags: 1 offline, 2 late, 4 registered, 8 purchase
//	7       1     0, for later
//	8       8     operation id: partition (10 bits), sequence (50 bits)
//	16      8     booking time, unix ns
//	24      8     presence of the fields that follow, bit 0 first; bit 63 is 0
//	32      …     the present fields, in the order of operationFields
const (
	operationVersion = 1
	operationMask    = 24 // offset of the presence bits
	operationHeader  = 32
)

const (
	flagOffline = 1 << iota
	flagLate
	flagRegistered
	flagPurchase
	flagsKnown = flagOffline | flagLate | flagRegistered | flagPurchase
)

// AppendOperation appends the journal record of op.
func AppendOperation(dst []byte, op *Operation) []byte {
	start := len(dst)
	c := writer(dst, tagOperation, operationVersion)
	c.buf = append(c.buf, byte(op.Kind), op.Code, op.Render, op.Edge, operationFlags(op), 0)
	c.op(&op.ID)
	c.time(&op.Time)
	c.buf = append(c.buf, 0, 0, 0, 0, 0, 0, 0, 0)
	operationFields(c, op)
	binary.BigEndian.PutUint64(c.buf[start+operationMask:], c.mask)
	return c.finish()
}

// DecodeOperation reads a journal record into op, using the room of its
// lists. Strings share one copy of the record. The error is [ErrCorrupt] or a
// [VersionError].
func DecodeOperation(record []byte, op *Operation) error {
	return decodeOperation(record, string(record), op)
}

// textPiece is how much text a Decoder allocates at once: some hundred
// records.
const textPiece = 64 << 10

// A Decoder decodes many journal records one after the other. It copies their
// text into pieces of 64 KiB instead of one for each record, which makes it
// quicker than [DecodeOperation]; who keeps a string of an operation keeps the
// whole piece in memory.
type Decoder struct{ piece []byte }

// Operation is [DecodeOperation].
func (d *Decoder) Operation(record []byte, op *Operation) error {
	if len(record) > cap(d.piece)-len(d.piece) {
		d.piece = make([]byte, 0, max(textPiece, len(record)))
	}
	from := len(d.piece)
	d.piece = append(d.piece, record...)
	// What has been appended to a piece is never written again.
	return decodeOperation(record, unsafe.String(unsafe.SliceData(d.piece[from:]), len(record)), op)
}

// BorrowOperation is [DecodeOperation] without a copy: the operation's strings
// lie in the record, and hold as long as it is valid and unchanged. Who keeps one
// for longer clones it.
func BorrowOperation(record []byte, op *Operation) error {
	return decodeOperation(record, unsafe.String(unsafe.SliceData(record), len(record)), op)
}

func decodeOperation(record []byte, text string, op *Operation) error {
	c, err := readerOf(record, text, tagOperation, operationVersion)
	if err != nil {
		return err
	}
	if len(record) < operationHeader {
		c.fail("shorter than its header")
		return c.err
	}
	op.Kind, op.Code, op.Render, op.Edge = Kind(record[2]), record[3], record[4], record[5]
	flags := record[6]
	op.Offline, op.Late = flags&flagOffline != 0, flags&flagLate != 0
	op.Registered, op.Purchase = flags&flagRegistered != 0, flags&flagPurchase != 0
	if op.Kind == KindNone || op.Kind >= kindCount || flags&^flagsKnown != 0 || record[7] != 0 {
		c.fail("a malformed header")
	}
	c.pos = 8
	c.op(&op.ID)
	c.time(&op.Time)
	c.fixed(&c.mask)
	operationFields(c, op)
	if c.mask != 0 {
		c.fail("an unknown field")
	}
	return c.end()
}

func operationFlags(op *Operation) (f byte) {
	if op.Offline {
		f |= flagOffline
	}
	if op.Late {
		f |= flagLate
	}
	if op.Registered {
		f |= flagRegistered
	}
	if op.Purchase {
		f |= flagPurchase
	}
	return f
}

// operationFields visits the fields in the order in which they lie in the
// record. A field may only be added at the end, with a new version.
func operationFields(c *coder, op *Operation) {
	operationReferences(c, op)
	operationOrigin(c, op)
	operationFigures(c, op)
	operationEffects(c, op)
	operationBooks(c, op)
}

// Bits 0 to 9.
func operationReferences(c *coder, op *Operation) {
	c.optTime(&op.At)
	c.optInt32(&op.Offset)
	c.optTime(&op.Due)
	c.optAccount(&op.Account)
	c.optOp(&op.Prev)
	c.optOp(&op.Parent)
	c.optOp(&op.Target)
	undoes := uint32(op.Undoes)
	c.optUint32(&undoes)
	if undoes >= uint32(kindCount) {
		c.fail("an unknown kind")
	}
	op.Undoes = Kind(undoes)
	c.optOp(&op.Figures)
	c.optUint32(&op.Program)
}

// Bits 10 to 19.
func operationOrigin(c *coder, op *Operation) {
	c.optString(&op.Merchant)
	c.optString(&op.Terminal)
	c.optString(&op.Store)
	c.optString(&op.Cashier)
	c.optString(&op.Channel)
	c.optString(&op.Receipt)
	c.optString(&op.Shift)
	c.optString(&op.Actor)
	if c.has(op.ISO != ISORef{}) {
		isoItem(c, &op.ISO)
		c.need(op.ISO != ISORef{})
	} else if c.reading {
		op.ISO = ISORef{}
	}
	optList(c, &op.Dups, 16+dupMin, dupRefItem)
}

// Bits 20 to 39.
func operationFigures(c *coder, op *Operation) {
	c.optInt(&op.Total)
	c.optInt(&op.Discount)
	c.optInt(&op.Redeemed)
	c.optInt(&op.Payable)
	c.optInt(&op.Points)
	c.optInt(&op.Earned)
	c.optInt(&op.MaxRedeem)
	c.optInt(&op.Asked)
	optList(c, &op.Lines, lineMin, lineItem)
	optList(c, &op.Rules, 2, ruleItem)
	optList(c, &op.Hints, 3, hintItem)
	optList(c, &op.Warnings, 1, stringItem)
	optList(c, &op.Flags, 1, stringItem)
	c.optString(&op.Tier)
	c.optString(&op.NextTier)
	c.optInt(&op.NextMissing)
	c.optString(&op.Detail)
	c.optString(&op.Field)
	c.optString(&op.Status)
	c.optTime(&op.Extend)
}

// Bits 40 to 54.
func operationEffects(c *coder, op *Operation) {
	c.optOp(&op.Drop)
	optList(c, &op.Lots, partMin, partItem)
	c.optOp(&op.Hold)
	c.optTime(&op.HoldUntil)
	optList(c, &op.Pins, partMin, partItem)
	if c.has(op.EarnedLot != LotPart{}) {
		partItem(c, &op.EarnedLot)
		c.need(op.EarnedLot != LotPart{})
	} else if c.reading {
		op.EarnedLot = LotPart{}
	}
	c.optInt(&op.Owed)
	if c.has(op.Spent != DaySum{}) {
		daySumItem(c, &op.Spent)
		c.need(op.Spent != DaySum{})
	} else if c.reading {
		op.Spent = DaySum{}
	}
	c.optTime(&op.TierUntil)
	c.optAccount(&op.Into)
	optList(c, &op.Upline, 8, accountItem)
	optList(c, &op.Transfers, transferMin, transferItem)
	c.optOp(&op.Source)
	index := uint32(op.SourceIndex)
	c.optUint32(&index)
	if index > math.MaxUint16 {
		c.fail("a number out of range")
	}
	op.SourceIndex = uint16(index)
	optList(c, &op.Sums, daySumMin, daySumItem)
}

// Bits 55 to 62.
func operationBooks(c *coder, op *Operation) {
	if c.has(op.Legs != [LegCount]int64{}) {
		legsItem(c, &op.Legs)
		c.need(op.Legs != [LegCount]int64{})
	} else if c.reading {
		op.Legs = [LegCount]int64{}
	}
	if c.has(op.After != Balance{}) {
		c.int64s(&op.After.Available, &op.After.Pending, &op.After.Held, &op.After.Deficit)
		c.need(op.After != Balance{})
	} else if c.reading {
		op.After = Balance{}
	}
	c.optBytes(&op.Data)
	ruleDiscounts(c, op.Rules)
	optList(c, &op.Counts, countChangeMin, countChangeItem)
	optList(c, &op.Gifts, 1+partMin, giftItem)
	optList(c, &op.Rewards, 10+partMin, rewardItem)
	standing(c, op)
}

// standing visits the rare effects on what the member is.
func standing(c *coder, op *Operation) {
	some := func() bool { return op.Grant != "" || op.GrantUntil != 0 || op.Wake != 0 || op.Bought != Bought{} }
	if !c.has(some()) {
		if c.reading {
			op.Grant, op.GrantUntil, op.Wake, op.Bought = "", 0, 0, Bought{}
		}
		return
	}
	c.string(&op.Grant)
	c.int64(&op.GrantUntil)
	c.int64(&op.Wake)
	boughtItem(c, &op.Bought)
	c.need(some())
}

func boughtItem(c *coder, b *Bought) {
	c.uint32(&b.Purchases)
	c.int64(&b.First)
	c.int64(&b.Last)
}

func accountItem(c *coder, id *AccountID) { c.account(id) }

const (
	giftOwn  = 1 << iota // the part's own flag
	giftLine             // the line follows
)

// giftItem visits a gift: the part's flag says whether a line follows it.
func giftItem(c *coder, g *Gift) {
	c.string(&g.Rule)
	c.moment(&g.Part.Active)
	c.moment(&g.Part.Expires)
	c.int64(&g.Part.Points)
	var flags byte
	if g.Part.Own {
		flags |= giftOwn
	}
	if g.Line != 0 {
		flags |= giftLine
	}
	c.byte(&flags)
	if flags > giftOwn|giftLine {
		c.fail("a malformed flag")
	}
	g.Part.Own = flags&giftOwn != 0
	line := uint32(g.Line)
	if flags&giftLine == 0 {
		line = 0
	} else if c.uint32(&line); line == 0 || line > math.MaxUint16 {
		c.fail("a number out of range")
	}
	g.Line = uint16(line)
}

func rewardItem(c *coder, r *Reward) {
	c.account(&r.To)
	c.string(&r.Rule)
	partItem(c, &r.Part)
	c.bool(&r.Fixed)
}

// ruleDiscounts visits what each rule took off the receipt, where any did.
func ruleDiscounts(c *coder, rules []Rule) {
	off := func() (found bool) {
		for i := range rules {
			found = found || rules[i].Discount != 0
		}
		return found
	}
	if c.has(!c.reading && off()) {
		for i := range rules {
			c.int64(&rules[i].Discount)
		}
		c.need(off())
	}
}

// legsItem visits the chart's ten legs: all of them, zeros take a byte each.
func legsItem(c *coder, legs *[LegCount]int64) {
	var to [LegCount]*int64
	for i := range legs {
		to[i] = &legs[i]
	}
	c.int64s(to[:]...)
}

func isoItem(c *coder, r *ISORef) {
	c.string(&r.MTI)
	c.string(&r.Processing)
	c.string(&r.STAN)
	c.string(&r.LocalTime)
	c.string(&r.LocalDate)
	c.string(&r.DE7)
	c.string(&r.Currency)
}

const lineMin = 10

func lineItem(c *coder, l *Line) {
	c.string(&l.ID)
	c.string(&l.SKU)
	c.string(&l.Category)
	c.int64s(&l.Quantity, &l.Price, &l.Amount, &l.Discount, &l.Redeemed, &l.Earned, &l.Points)
}

func ruleItem(c *coder, r *Rule) {
	c.string(&r.Name)
	c.int64(&r.Points)
	if c.reading {
		r.Discount = 0 // ruleDiscounts follows
	}
}

func hintItem(c *coder, h *Hint) {
	c.string(&h.Rule)
	c.string(&h.Gives)
	c.int64(&h.Missing)
}

func dupRefItem(c *coder, d *DupRef) {
	c.raw(d.Key[:])
	dupItem(c, &d.Entry)
	if c.reading {
		d.New = false
	}
}

const transferMin = 16

const (
	transferForgives = 1 << iota
	transferOfSale
	transferStands
	transferBack
	transferWhole
	transferKnown = transferForgives | transferOfSale | transferStands | transferBack | transferWhole
)

func transferItem(c *coder, t *Transfer) {
	c.account(&t.To)
	items(c, &t.Parts, partMin, partItem)
	items(c, &t.Spent, daySumMin, daySumItem)
	boughtItem(c, &t.Bought)
	items(c, &t.Counts, countChangeMin, countChangeItem)
	c.string(&t.Rule)
	var flags byte
	set := func(on bool, flag byte) {
		if on {
			flags |= flag
		}
	}
	set(t.Forgive, transferForgives)
	set(t.Sale != 0, transferOfSale)
	set(t.Standing != Standing{}, transferStands)
	set(t.Standing.Back, transferBack)
	set(t.Standing.Whole, transferWhole)
	c.byte(&flags)
	if flags&^transferKnown != 0 || flags&transferStands == 0 && flags&(transferBack|transferWhole) != 0 {
		c.fail("a malformed flag")
	}
	if c.reading {
		t.Forgive, t.Sale = flags&transferForgives != 0, 0
		t.Standing = Standing{Back: flags&transferBack != 0, Whole: flags&transferWhole != 0}
	}
	if flags&transferOfSale != 0 {
		c.op(&t.Sale)
		c.need(t.Sale != 0)
	}
	if flags&transferStands != 0 {
		standingItem(c, &t.Standing)
		c.need(t.Standing != Standing{})
	}
}

func standingItem(c *coder, s *Standing) {
	c.string(&s.Tier)
	c.int64(&s.Until)
	c.int64(&s.Was)
	c.int64(&s.At)
	c.int32(&s.Offset)
	c.uint32(&s.Program)
}

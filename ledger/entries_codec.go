package ledger

import "math"

// The small records, each version 1. After 'tag' and version they hold, in
// order (docs/storage.md has the tables):
//
//	'D' duplicates  count, entries {disc, sent count, sent…, hash 16, op 8, mark 1, time 8, class}
//	'R' receipts    count, entries {shift, op 8, mark 1, time 8}
//	'B' shift       op 8, sale 8, kind 1, undoes 1, time 8, at 8, receipt, status, flags, six figures
//	'I' link        account 8, kind 1, state 1, expires 8, type, last four
//	'Z' parked      id 8, account 8, parent 8, time 8, at 8, six strings, three figures
//	'K' code        account 8, until 8
//	'O' transfer    to 8, parts, sums
//	'W' watermark   op 8, index
//	'G' programme   version, from 8, published 8, merchant, actor, document
//	'N' window      first, last, ten legs, hash 32
const (
	dupsVersion      = 1
	receiptsVersion  = 1
	shiftVersion     = 1
	linkVersion      = 1
	parkedVersion    = 1
	codeVersion      = 1
	transferVersion  = 1
	watermarkVersion = 1
	programVersion   = 1
	windowVersion    = 1
)

const dupMin = 36

func dupItem(c *coder, e *DupEntry) {
	c.string(&e.Disc)
	items(c, &e.Sent, 1, stringItem)
	c.raw(e.Hash[:])
	c.op(&e.Op)
	c.bool(&e.Mark)
	c.time(&e.Time)
	c.string(&e.Class)
}

func appendDups(dst []byte, entries []DupEntry) []byte {
	c := writer(dst, tagDups, dupsVersion)
	items(c, &entries, dupMin, dupItem)
	return c.finish()
}

func decodeDups(rec []byte, into []DupEntry) ([]DupEntry, error) {
	c, err := reader(rec, tagDups, dupsVersion)
	if err != nil {
		return nil, err
	}
	items(c, &into, dupMin, dupItem)
	return into, c.end()
}

func receiptItem(c *coder, e *ReceiptEntry) {
	c.string(&e.Shift)
	c.op(&e.Op)
	c.bool(&e.Mark)
	c.time(&e.Time)
}

const receiptMin = 18

func appendReceipts(dst []byte, entries []ReceiptEntry) []byte {
	c := writer(dst, tagReceipts, receiptsVersion)
	items(c, &entries, receiptMin, receiptItem)
	return c.finish()
}

func decodeReceipts(rec []byte, into []ReceiptEntry) ([]ReceiptEntry, error) {
	c, err := reader(rec, tagReceipts, receiptsVersion)
	if err != nil {
		return nil, err
	}
	items(c, &into, receiptMin, receiptItem)
	return into, c.end()
}

func shiftFields(c *coder, e *ShiftEntry) {
	c.op(&e.Op)
	c.op(&e.Sale)
	c.kind(&e.Kind)
	c.kind(&e.Undoes)
	c.time(&e.Time)
	c.time(&e.At)
	c.string(&e.Receipt)
	c.string(&e.Status)
	items(c, &e.Flags, 1, stringItem)
	c.int64(&e.Total)
	c.int64(&e.Discount)
	c.int64(&e.Redeemed)
	c.int64(&e.Payable)
	c.int64(&e.Points)
	c.int64(&e.Earned)
}

func (c *coder) kind(k *Kind) {
	c.byte((*byte)(k))
	if *k >= kindCount {
		c.fail("an unknown kind")
	}
}

func appendShift(dst []byte, e *ShiftEntry) []byte {
	c := writer(dst, tagShift, shiftVersion)
	shiftFields(c, e)
	return c.finish()
}

func decodeShift(rec []byte, e *ShiftEntry) error {
	c, err := reader(rec, tagShift, shiftVersion)
	if err != nil {
		return err
	}
	shiftFields(c, e)
	return c.end()
}

func linkFields(c *coder, l *Link) {
	c.account(&l.Account)
	c.byte(&l.Kind)
	c.byte(&l.State)
	c.time(&l.Expires)
	c.string(&l.Type)
	c.string(&l.Last4)
}

func appendLink(dst []byte, l *Link) []byte {
	c := writer(dst, tagLink, linkVersion)
	linkFields(c, l)
	return c.finish()
}

func decodeLink(rec []byte, l *Link) error {
	c, err := reader(rec, tagLink, linkVersion)
	if err != nil {
		return err
	}
	linkFields(c, l)
	return c.end()
}

func parkedFields(c *coder, p *Parked) {
	c.op(&p.ID)
	c.account(&p.Account)
	c.op(&p.Parent)
	c.time(&p.Time)
	c.time(&p.At)
	c.string(&p.Merchant)
	c.string(&p.Terminal)
	c.string(&p.Store)
	c.string(&p.Receipt)
	c.string(&p.Shift)
	c.string(&p.Detail)
	c.int64(&p.Total)
	c.int64(&p.Redeemed)
	c.int64(&p.Payable)
	c.int64(&p.Points)
}

func appendParked(dst []byte, p *Parked) []byte {
	c := writer(dst, tagParked, parkedVersion)
	parkedFields(c, p)
	return c.finish()
}

func decodeParked(rec []byte, p *Parked) error {
	c, err := reader(rec, tagParked, parkedVersion)
	if err != nil {
		return err
	}
	parkedFields(c, p)
	return c.end()
}

func codeFields(c *coder, k *code) {
	c.account(&k.account)
	c.time(&k.until)
}

func appendCode(dst []byte, k *code) []byte {
	c := writer(dst, tagCode, codeVersion)
	codeFields(c, k)
	return c.finish()
}

func decodeCode(rec []byte, k *code) error {
	c, err := reader(rec, tagCode, codeVersion)
	if err != nil {
		return err
	}
	codeFields(c, k)
	return c.end()
}

func appendTransfer(dst []byte, t *Transfer) []byte {
	c := writer(dst, tagTransfer, transferVersion)
	transferItem(c, t)
	return c.finish()
}

func decodeTransfer(rec []byte, t *Transfer) error {
	c, err := reader(rec, tagTransfer, transferVersion)
	if err != nil {
		return err
	}
	transferItem(c, t)
	return c.end()
}

func watermarkFields(c *coder, w *watermark) {
	c.op(&w.op)
	index := uint32(w.index)
	c.uint32(&index)
	if index > math.MaxUint16 {
		c.fail("a number out of range")
	}
	w.index = uint16(index)
}

func appendWatermark(dst []byte, w *watermark) []byte {
	c := writer(dst, tagWatermark, watermarkVersion)
	watermarkFields(c, w)
	return c.finish()
}

func decodeWatermark(rec []byte, w *watermark) error {
	c, err := reader(rec, tagWatermark, watermarkVersion)
	if err != nil {
		return err
	}
	watermarkFields(c, w)
	return c.end()
}

func programFields(c *coder, p *Program) {
	c.uint32(&p.Version)
	c.time(&p.From)
	c.time(&p.Published)
	c.string(&p.Merchant)
	c.string(&p.Actor)
	c.bytes(&p.Doc)
}

func appendProgram(dst []byte, p *Program) []byte {
	c := writer(dst, tagProgram, programVersion)
	programFields(c, p)
	return c.finish()
}

func decodeProgram(rec []byte, p *Program) error {
	c, err := reader(rec, tagProgram, programVersion)
	if err != nil {
		return err
	}
	programFields(c, p)
	return c.end()
}

func windowFields(c *coder, w *Window) {
	c.uvarint(&w.First)
	c.uvarint(&w.Last)
	legsItem(c, &w.Legs)
	c.raw(w.Hash[:])
}

// AppendWindow appends the Data of a [KindWindow] record.
func AppendWindow(dst []byte, w *Window) []byte {
	c := writer(dst, tagWindow, windowVersion)
	windowFields(c, w)
	return c.finish()
}

// DecodeWindow reads the Data of a [KindWindow] record. The error is
// [ErrCorrupt] or a [VersionError].
func DecodeWindow(data []byte, w *Window) error {
	c, err := reader(data, tagWindow, windowVersion)
	if err != nil {
		return err
	}
	windowFields(c, w)
	return c.end()
}

package ledger

import "encoding/binary"

// A sale, version 1:
//
//	offset  size  what
//	0       1     'S'
//	1       1     1
//	2       1     status (SaleStatus)
//	3       1     0, for later
//	4       8     id: the operation id of its authorization or one-step operation
//	12      8     account id
//	20      8     journal record that holds its figures
//	28      8     booked, unix ns
//	36      8     presence of the fields that follow, bit 0 first
//	44      …     the present fields, in the order of saleFields
const (
	saleVersion = 1
	saleMask    = 36
	saleHeader  = 44
)

func appendSale(dst []byte, s *Sale) []byte {
	start := len(dst)
	c := writer(dst, tagSale, saleVersion)
	c.buf = append(c.buf, byte(s.Status), 0)
	c.op(&s.ID)
	c.account(&s.Account)
	c.op(&s.Record)
	c.time(&s.Booked)
	c.buf = append(c.buf, 0, 0, 0, 0, 0, 0, 0, 0)
	saleFields(c, s)
	binary.BigEndian.PutUint64(c.buf[start+saleMask:], c.mask)
	return c.finish()
}

func decodeSale(rec []byte, s *Sale) error {
	c, err := reader(rec, tagSale, saleVersion)
	if err != nil {
		return err
	}
	if len(rec) < saleHeader {
		c.fail("shorter than its header")
		return c.err
	}
	s.Status = SaleStatus(rec[2])
	if s.Status > SaleParked || rec[3] != 0 {
		c.fail("a malformed header")
	}
	c.pos = 4
	c.op(&s.ID)
	c.account(&s.Account)
	c.op(&s.Record)
	c.time(&s.Booked)
	c.fixed(&c.mask)
	saleFields(c, s)
	if c.mask != 0 {
		c.fail("an unknown field")
	}
	return c.end()
}

func saleFields(c *coder, s *Sale) {
	c.optTime(&s.At)
	c.optUint32(&s.Program)
	c.optString(&s.Terminal)
	c.optString(&s.Store)
	c.optString(&s.Receipt)
	c.optString(&s.Shift)
	c.optInt(&s.Total)
	c.optInt(&s.Discount)
	c.optInt(&s.Redeemed)
	c.optInt(&s.Payable)
	c.optInt(&s.Points)
	c.optInt(&s.Earned)
	optList(c, &s.Lines, lineMin+backMin, saleLineItem)
	if c.has(s.Back != LineBack{}) {
		backItem(c, &s.Back)
		c.need(s.Back != LineBack{})
	} else if c.reading {
		s.Back = LineBack{}
	}
	optList(c, &s.Pins, partMin, partItem)
	optList(c, &s.Restored, partMin, partItem)
	if c.has(s.EarnedLot != LotPart{}) {
		partItem(c, &s.EarnedLot)
		c.need(s.EarnedLot != LotPart{})
	} else if c.reading {
		s.EarnedLot = LotPart{}
	}
	c.optInt32(&s.Day)
	optList(c, &s.Counts, countChangeMin, countChangeItem)
	optList(c, &s.Gifts, 1+partMin, giftItem)
	optList(c, &s.Rewards, 10+partMin, rewardItem)
}

func saleLineItem(c *coder, l *SaleLine) {
	lineItem(c, &l.Line)
	backItem(c, &l.Back)
}

const backMin = 7

func backItem(c *coder, b *LineBack) {
	c.int64(&b.Quantity)
	c.int64(&b.Payable)
	c.int64(&b.Redeemed)
	c.int64(&b.Points)
	c.int64(&b.Earned)
	c.int64(&b.Discount)
	c.int64(&b.Amount)
}

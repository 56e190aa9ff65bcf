package program

// Count is a counter that a rule keeps in the member's account: units bought,
// uses of a promo code, operations of a day. Value is in the rule's own unit.
type Count struct {
	Key    uint64 // what is counted ([CountKey])
	Bucket int32  // the day or hour it counts for; 0 if there is one for all time
	Value  int64
	At     int64 // business date of what it counted first, unix ns; 0 for none
	Until  int32 // last UTC day (since 1970-01-01) on which it matters; 0 for ever
}

// CountChange is what a decision does to a counter: Value is added, or with Set
// it and the dates replace what was there.
type CountChange struct {
	Count
	Set bool
	// Shared counts it for the merchant too, over all members; Apart for the
	// merchant alone.
	Shared, Apart bool
	// Line is the number, from 1, of the receipt's line that it counts: a return
	// of the line takes its share back. 0: it goes back with the whole receipt.
	Line int
}

// CountKey names a counter by its kind and what it is about, a rule's name for
// instance: the same name is the same counter in every version of a programme
// (FNV-1a, 64 bits, each part ended by a zero byte).
func CountKey(kind string, about ...string) uint64 {
	h := mix(14695981039346656037, kind)
	for _, s := range about {
		h = mix(h, s)
	}
	return h
}

// mix goes on with a key's hash over a part.
func mix(h uint64, part string) uint64 {
	for i := range len(part) {
		h = (h ^ uint64(part[i])) * fnvPrime
	}
	return h * fnvPrime // the zero byte
}

// mixNumber is mix over a number's eight bytes, the lowest first.
func mixNumber(h, part uint64) uint64 {
	for range 8 {
		h = (h ^ part&0xff) * fnvPrime
		part >>= 8
	}
	return h * fnvPrime
}

const fnvPrime = 1099511628211

// place is where the counter of a key and bucket stands or would stand.
func (f *Facts) place(key uint64, bucket int32) int {
	lo, hi := 0, len(f.Counts)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if c := &f.Counts[mid]; c.Key < key || c.Key == key && c.Bucket < bucket {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// find is the member's counter of a key and bucket; nil if it stands at
// nothing.
func (f *Facts) find(key uint64, bucket int32) *Count {
	i := f.place(key, bucket)
	if i < len(f.Counts) && f.Counts[i].Key == key && f.Counts[i].Bucket == bucket {
		return &f.Counts[i]
	}
	return nil
}

// Kept is [Kept] by the account's counters.
func (f *Facts) Kept(key uint64) int64 {
	if c := f.find(key, 0); c != nil {
		return c.At
	}
	return 0
}

// countedFrom adds up a key's counters from a bucket on.
func (f *Facts) countedFrom(key uint64, bucket int32) (sum int64) {
	for i := f.place(key, bucket); i < len(f.Counts) && f.Counts[i].Key == key; i++ {
		sum += f.Counts[i].Value
	}
	return sum
}

// counted is what a counter stands at.
func (f *Facts) counted(key uint64, bucket int32) int64 {
	if c := f.find(key, bucket); c != nil {
		return c.Value
	}
	return 0
}

// Gift is points given beside what the purchase earns, under the name of the
// event or promo code that gives them, with the dates of their lot.
type Gift struct {
	Rule string
	Lot  EarnedLot
	// Line is the number, from 1, of the line that has brought it: a return of
	// the line takes its share back. 0: it goes back with the whole receipt.
	Line int
}

// Reward is what the purchase brings a member above the buyer: Level 1 invited
// the buyer, level 2 that one, and so on. A fixed one is for the first
// purchase.
type Reward struct {
	Level int
	Rule  string
	Lot   EarnedLot
	Fixed bool
}

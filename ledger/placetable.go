package ledger

// placeTable tells the places of records by a hash of their accounts, in eight
// bytes each: whose record it is says the record itself. A map would take three
// times as much, for it keeps the accounts again.
//
// It is a table of open addressing with linear probing. What is removed leaves
// no mark: those behind it that had to go on from their slot move up.
type placeTable struct {
	slots []placeSlot // as many as a power of two, at most three in four used
	used  int
}

// placeTables is into how many tables a shard's places are cut, so that none
// takes long to be made twice as large: 10,000 records in each of ten million.
const placeTables = 1 << 10

type placeSlot struct {
	place uint32
	tag   uint8 // of the hash, so that few other records are asked whose they are
	used  bool
	off   uint16 // slots from the one where its search begins: a handful, for accounts are drawn
}

// Of a hash the lowest bits are those of the account's partition, the highest
// tell the table.
func tagOf(hash uint64) uint8    { return uint8(hash >> 46) }
func tableOf(hash uint64) uint64 { return hash >> 54 % placeTables }

// home is the slot where the search for a hash begins.
func (t *placeTable) home(hash uint64) int { return int(hash>>8) & (len(t.slots) - 1) }

// find is the slot of the place that is meant, −1 for none.
func (t *placeTable) find(hash uint64, meant func(place uint32) bool) int {
	if t.used == 0 {
		return -1
	}
	mask := len(t.slots) - 1
	for i := t.home(hash); t.slots[i].used; i = (i + 1) & mask {
		if s := &t.slots[i]; s.tag == tagOf(hash) && meant(s.place) {
			return i
		}
	}
	return -1
}

// add adds a place. hashAt tells the hash of one that is there.
func (t *placeTable) add(hash uint64, place uint32, hashAt func(place uint32) uint64) {
	if 4*(t.used+1) > 3*len(t.slots) {
		old := t.slots
		t.slots, t.used = make([]placeSlot, max(8, 2*len(old))), 0
		for i := range old {
			if old[i].used {
				t.insert(hashAt(old[i].place), old[i].place)
			}
		}
	}
	t.insert(hash, place)
}

func (t *placeTable) insert(hash uint64, place uint32) {
	mask := len(t.slots) - 1
	i, off := t.home(hash), 0
	for t.slots[i].used {
		i, off = (i+1)&mask, off+1
	}
	t.slots[i] = placeSlot{place: place, tag: tagOf(hash), used: true, off: uint16(off)}
	t.used++
}

// remove empties a slot.
func (t *placeTable) remove(slot int) {
	mask := len(t.slots) - 1
	gap := slot
	for i := (slot + 1) & mask; t.slots[i].used; i = (i + 1) & mask {
		// Who would be found in the gap may move there.
		if s, back := t.slots[i], (i-gap)&mask; int(s.off) >= back {
			s.off -= uint16(back)
			t.slots[gap], gap = s, i
		}
	}
	t.slots[gap] = placeSlot{}
	t.used--
}

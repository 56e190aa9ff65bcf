package ledger

import (
	"math"
	"slices"
)

const (
	// MaxPoints bounds every figure of an operation, in minor units: ten
	// million million units, far above any shop's year and far below what
	// the sum of MaxLots lots could overflow.
	MaxPoints = 1_000_000_000_000_000
	// MaxLots is from how many lots on an account takes no new points. With
	// terms by the day it has one lot a day at most; see mergeOldest for what
	// comes before. What holds and returns give back is always taken.
	MaxLots = 1024
	// MaxHolds bounds the holds that an account may have at one time. A card
	// that a firm's staff share has a few; more is a till gone wild.
	MaxHolds = 256
	// keepDays is for how many days sums per day are kept.
	keepDays = 400
	// tidyLots is from how many lots on old ones are merged.
	tidyLots = 256
)

// Compare is the order in which points are spent: by expiry, then by activation;
// lots that never expire last (L1).
func (p LotPart) Compare(q LotPart) int {
	a, b := &p, &q
	ea, eb := a.Expires, b.Expires
	if ea == 0 {
		ea = math.MaxInt64
	}
	if eb == 0 {
		eb = math.MaxInt64
	}
	switch {
	case ea != eb:
		return compare(ea, eb)
	case a.Active != b.Active:
		return compare(a.Active, b.Active)
	case a.Own != b.Own:
		if b.Own {
			return -1
		}
		return 1
	}
	return 0
}

func compare(a, b int64) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// In reports whether a part belongs to a lot: to the one with its dates or, with
// extends, to one whose end purchases have moved meanwhile.
func (p LotPart) In(lot LotPart, extends bool) bool {
	return p.Active == lot.Active && p.Own == lot.Own &&
		(p.Expires == lot.Expires || extends && !p.Own && p.Expires != 0 && lot.Expires > p.Expires)
}

// Taken are the parts that an operation has taken of lots, with their points
// above zero.
func (op *Operation) Taken(dst []LotPart) []LotPart {
	for _, part := range op.Lots {
		if part.Points < 0 {
			part.Points = -part.Points
			dst = append(dst, part)
		}
	}
	return dst
}

// Regain appends to dst the lots to which a reversed return gives own again, the
// parts that it should have taken: each goes where it was taken; what other lots
// had to give in its place goes there, in the order in which points are spent;
// and what nobody could give goes to own. took is what the return took of each
// lot, and is less by all that is given there.
func Regain(dst, own, took []LotPart, extends bool) []LotPart {
	var left int64
	for i := range own {
		dst = own[i].regain(dst, took, extends, &own[i].Points)
		left += own[i].Points
	}
	slices.SortFunc(took, LotPart.Compare)
	for i := range took {
		dst = common(dst, took[i], &took[i].Points, &left)
	}
	for i := range own {
		dst = common(dst, own[i], &own[i].Points, &left)
	}
	return dst
}

// Given notes in took that a part has been given again ([Regain]).
func Given(took []LotPart, part LotPart, extends bool) {
	part.regain(nil, took, extends, &part.Points)
}

// regain appends what of a part was taken from its own lot.
func (p LotPart) regain(dst, took []LotPart, extends bool, left *int64) []LotPart {
	for i := range took {
		if p.In(took[i], extends) {
			dst = common(dst, took[i], &took[i].Points, left)
		}
	}
	return dst
}

// common appends the part of a lot that is in both of two amounts.
func common(dst []LotPart, lot LotPart, a, b *int64) []LotPart {
	n := min(*a, *b)
	if n <= 0 {
		return dst
	}
	*a -= n
	*b -= n
	lot.Points = n
	return append(dst, lot)
}

// addPart adds a part to ordered lots or takes it away if it is negative. It
// reports false if the lot has less than is taken, or too much would be in it.
func addPart(lots *[]LotPart, part LotPart) bool {
	if part.Points == 0 {
		return true
	}
	i, found := slices.BinarySearchFunc(*lots, part, LotPart.Compare)
	if !found {
		if part.Points < 0 || part.Points > MaxPoints {
			return false
		}
		*lots = slices.Insert(*lots, i, part)
		return true
	}
	left := (*lots)[i].Points + part.Points
	switch {
	case left < 0 || left > MaxPoints:
		return false
	case left == 0:
		*lots = slices.Delete(*lots, i, i+1)
	default:
		(*lots)[i].Points = left
	}
	return true
}

// extendLots moves the end of lots without a term of their own to end, if
// that is later (L3), and merges those that thereby get the same dates.
func extendLots(lots []LotPart, end int64) []LotPart {
	moved := false
	for i := range lots {
		if l := &lots[i]; !l.Own && l.Expires != 0 && l.Expires < end {
			l.Expires, moved = end, true
		}
	}
	if !moved {
		return lots
	}
	slices.SortFunc(lots, LotPart.Compare)
	return mergeLots(lots, LotPart.SameLot)
}

// mergeLots joins neighbours that same says are one lot; the later one's
// dates stay.
func mergeLots(lots []LotPart, same func(a, b LotPart) bool) []LotPart {
	n := 0
	for _, l := range lots {
		if n > 0 && same(lots[n-1], l) {
			l.Points += lots[n-1].Points
			lots[n-1] = l
			continue
		}
		lots[n] = l
		n++
	}
	return lots[:n]
}

// mergeOldest keeps an account small whose programme gives every purchase a
// lot of its own: among lots that are spendable already, the activation date
// only says which is older, so those that end together become one. Nothing
// is booked by it: no balance and no expiry changes.
func mergeOldest(lots []LotPart, through int64) []LotPart {
	return mergeLots(lots, func(a, b LotPart) bool {
		return a.Expires == b.Expires && a.Own == b.Own && a.Active <= through && b.Active <= through
	})
}

// addDay adds to the sum of a day and forgets days that are too old.
func addDay(days []DaySum, add DaySum) []DaySum {
	i, found := slices.BinarySearchFunc(days, add.Day, func(d DaySum, day int32) int {
		return compare(int64(d.Day), int64(day))
	})
	switch {
	case !found:
		days = slices.Insert(days, i, add)
	case days[i].Spent+add.Spent == 0:
		days = slices.Delete(days, i, i+1)
	default:
		days[i].Spent += add.Spent
	}
	old := 0
	for old < len(days) && int64(days[old].Day) <= int64(days[len(days)-1].Day)-keepDays {
		old++
	}
	return slices.Delete(days, 0, old)
}

// sum adds up parts.
func sum(parts []LotPart) (total int64) {
	for _, p := range parts {
		total += p.Points
	}
	return total
}

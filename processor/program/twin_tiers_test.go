package program

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tillgate/protocol"
)

// The twin of tiers keeps every receipt for ever and every return of it, and
// reads the tier off that list by the words of the documentation.

// tSold is one booked receipt, tBack what came back of it and when.
type tSold struct {
	booked time.Time
	paid   int64
	back   []tBack
}

type tBack struct {
	booked time.Time
	money  int64
}

// left is what was left of the receipt, of bookings before a moment.
func (s *tSold) left(before time.Time) int64 {
	if !s.booked.Before(before) {
		return 0
	}
	left := s.paid
	for _, b := range s.back {
		if b.booked.Before(before) {
			left -= b.money
		}
	}
	return left
}

type tLevel struct {
	sum   int64
	above bool
}

type tTiers struct {
	by      string
	days    int
	monthly bool
	levels  []tLevel
}

func (p *tTiers) document() string {
	doc := "program: random\ncurrency: KZT\ntimezone: Europe/Berlin\ntiers:\n  by: " + p.by + "\n"
	if p.by == "window" {
		doc += fmt.Sprintf("  window: %dd\n", p.days)
	}
	if p.monthly {
		doc += "  recalculate: monthly\n"
	}
	doc += "  levels:\n    - {name: L0}\n"
	for i, l := range p.levels {
		word := "from"
		if l.above {
			word = "above"
		}
		doc += fmt.Sprintf("    - {name: L%d, %s: %s}\n", i+1, word, hundredth(l.sum))
	}
	return doc
}

// level is the tier at a moment, "L0" for the first.
func (p *tTiers) level(sold []tSold, now time.Time) string {
	moment := now
	before := now.Add(1) // what is booked at this moment counts
	if p.monthly {
		moment = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, now.Location())
		before = moment
	}
	first := time.Date(moment.Year(), moment.Month(), moment.Day()-p.days, 0, 0, 0, 0, now.Location())
	reached := func(sum int64, l tLevel) bool { return sum > l.sum || sum == l.sum && !l.above }
	tier := "L0"
	for i, l := range p.levels {
		var sum int64
		alone := false
		for k := range sold {
			left := sold[k].left(before)
			alone = alone || reached(left, l)
			if p.by != "window" || !sold[k].booked.Before(first) {
				sum += left
			}
		}
		if p.by == "single" && alone || p.by != "single" && reached(sum, l) {
			tier = fmt.Sprint("L", i+1)
		}
	}
	return tier
}

// TestTiersTwin lets months go by with purchases and returns in parts: the
// tier that sums and counters tell is the one that the whole history tells.
func TestTiersTwin(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		model := tTiers{
			by:   rapid.SampledFrom([]string{"lifetime", "window", "single"}).Draw(t, "by"),
			days: rapid.IntRange(1, 120).Draw(t, "days"), monthly: rapid.Bool().Draw(t, "monthly"),
		}
		for sum := int64(0); len(model.levels) < 3; {
			sum += rapid.Int64Range(1, 500).Draw(t, "threshold")
			model.levels = append(model.levels, tLevel{sum, rapid.Bool().Draw(t, "above")})
			sum++
		}
		p, problems := Compile([]byte(model.document()))
		require.Empty(t, problems, model.document())
		f := Facts{Present: true}
		var sold []tSold
		now := time.Date(2027, 1, 15, 12, 0, 0, 0, berlin)
		var d Decision
		for range rapid.IntRange(1, 25).Draw(t, "deeds") {
			now = tLater(t, now)
			f.Now = now.UnixNano()
			Evaluate(p, &f, &protocol.Request{}, f.Now, &d)
			require.Equal(t, model.level(sold, now), d.Tier, "at %s, %s\n%+v\n%+v", now, model.document(), sold, f)
			switch rapid.IntRange(0, 3).Draw(t, "deed") {
			case 0:
			case 1, 2:
				sold = append(sold, tSell(t, p, &f, now))
			default:
				tReturn(t, p, &f, now, sold)
			}
		}
	})
}

// tLater moves the clock: by seconds, to the last second of the month, to the
// 1st, or some days on.
func tLater(t *rapid.T, now time.Time) time.Time {
	end := time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, now.Location())
	switch rapid.IntRange(0, 4).Draw(t, "later") {
	case 0:
		return now.Add(time.Second)
	case 1:
		if last := end.Add(-time.Second); last.After(now) {
			return last
		}
		return end
	case 2:
		return end
	}
	return now.AddDate(0, 0, rapid.IntRange(1, 45).Draw(t, "days on"))
}

func tSell(t *rapid.T, p *Program, f *Facts, now time.Time) tSold {
	paid := rapid.Int64Range(1, 900).Draw(t, "paid")
	day := LocalDay(now.UnixNano(), now.Location())
	changes := p.Book(Sale{Paid: paid, Day: day}, p.Month(f, now.UnixNano(), nil))
	f.Lifetime += paid
	f.Days = spentOn(f.Days, DaySum{day, paid})
	f.LastPurchase, f.FirstPurchase = now.UnixNano(), false
	for _, ch := range changes {
		f.Counts = booked(f.Counts, ch)
	}
	return tSold{booked: now, paid: paid}
}

// tReturn takes a part of a receipt back, or undoes the newest return of it.
func tReturn(t *rapid.T, p *Program, f *Facts, now time.Time, sold []tSold) {
	if len(sold) == 0 {
		return
	}
	s := &sold[rapid.IntRange(0, len(sold)-1).Draw(t, "receipt")]
	left := s.left(now.Add(1))
	money := rapid.Int64Range(0, left).Draw(t, "back")
	if n := len(s.back); n > 0 && rapid.Bool().Draw(t, "undo") {
		money = -s.back[n-1].money
	}
	s.back = append(s.back, tBack{now, money})
	changes := p.Month(f, now.UnixNano(), nil)
	for i := range p.tiers.levels {
		key := p.tiers.levels[i].key
		if change, ok := p.Recount(key, left, left-money); ok && change != 0 {
			changes = append(changes, CountChange{Count: Count{Key: key, Value: change}})
		}
	}
	f.Lifetime -= money
	f.Days = spentOn(f.Days, DaySum{LocalDay(s.booked.UnixNano(), now.Location()), -money})
	for _, ch := range changes {
		f.Counts = booked(f.Counts, ch)
	}
}

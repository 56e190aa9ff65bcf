package day

import "math/rand/v2"

// action is a kind of request.
type action int

const (
	quote action = iota
	authorize
	confirm
	void
	reverse
	accrue
	giveBack
	actions
)

var actionNames = [actions]string{"quote", "authorize", "confirm", "void", "reverse", "accrue", "return"}

func (a action) String() string { return actionNames[a] }

func (r Requests) weights() [actions]float64 {
	return [actions]float64{r.Quote, r.Authorize, r.Confirm, r.Void, r.Reverse, r.Accrue, r.Return}
}

// schedule decides what a till does next so that the shares come out: each
// kind gathers credit by its share and pays one for each request. The kind
// with most credit is next, if it is possible; one that is not yet possible
// goes on gathering, and takes its turns later.
type schedule struct {
	share  [actions]float64
	credit [actions]float64
}

func newSchedule(r Requests, rng *rand.Rand) schedule {
	s := schedule{share: r.weights()}
	sum := 0.0
	for _, w := range s.share {
		sum += w
	}
	for k := range s.share {
		s.share[k] /= sum
		// Tills that begin together should not march in step.
		s.credit[k] = rng.Float64() * s.share[k]
	}
	return s
}

// next is the next kind among those that are possible; authorize, which always
// is, or else what has a share, where none of the others is.
func (s *schedule) next(possible func(action) bool) action {
	for k := range s.share {
		s.credit[k] += s.share[k]
	}
	best := action(-1)
	for k := range actions {
		if s.share[k] > 0 && (best < 0 || s.credit[k] > s.credit[best]) && possible(k) {
			best = k
		}
	}
	if best < 0 {
		best = authorize
	}
	s.credit[best]--
	return best
}

// members draws members.
type members struct {
	rng  *rand.Rand
	zipf *rand.Zipf
	hot  bool
	n    int
}

func newMembers(m Members, n int, rng *rand.Rand) members {
	d := members{rng: rng, hot: m.Hot, n: n}
	if m.Zipf != 0 {
		d.zipf = rand.NewZipf(rng, m.Zipf, 1, uint64(n-1))
	}
	return d
}

// next is the next member. The ranks of Zipf's law are scattered over the
// members, so that the frequent ones are no neighbours on disk.
func (d *members) next() int {
	switch {
	case d.hot:
		return 0
	case d.zipf != nil:
		return int(d.zipf.Uint64() * scatter % uint64(d.n))
	}
	return d.rng.IntN(d.n)
}

// scatter is a prime that divides no number of members with which it could
// make two ranks one: it is larger than any of them.
const scatter = 2_147_483_647

// weighted draws an index by weights.
type weighted struct{ upTo []float64 }

func newWeighted(baskets []Basket) weighted {
	var w weighted
	sum := 0.0
	for _, b := range baskets {
		sum += b.Share
		w.upTo = append(w.upTo, sum)
	}
	return w
}

func (w weighted) next(rng *rand.Rand) int {
	at := rng.Float64() * w.upTo[len(w.upTo)-1]
	for i, up := range w.upTo {
		if at < up {
			return i
		}
	}
	return len(w.upTo) - 1
}

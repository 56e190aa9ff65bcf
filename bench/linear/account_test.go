package linear

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"tillgate/bench/rig"
)

// request is what a client sent.
type request struct {
	member string
	client string // scope of its keys
	rig.Ask
	original rig.Kind // of what it reverses
}

// reply is what it heard: nothing, a decline's code, or figures.
type reply struct {
	lost      bool
	code      string // "" approved
	available int64  // less what is owed
	held      int64
	points    int64 // of a purchase: earned
}

// account is the plain account: one request at a time, no batches, no disk.
type account struct {
	available, owed, held int64
	keys                  map[string]reply // what each key was answered
	sales                 map[string]sale  // by the key of the purchase
}

type sale struct {
	state                 string // open confirmed voided reversed
	points, total, earned int64
}

func newAccount(points int64) account {
	return account{available: points, keys: map[string]reply{}, sales: map[string]sale{}}
}

func (a *account) copy() account {
	b := *a
	b.keys, b.sales = maps.Clone(a.keys), maps.Clone(a.sales)
	return b
}

func (a *account) earn(n int64) {
	repaid := min(a.owed, n)
	a.owed -= repaid
	a.available += n - repaid
}

func (a *account) takeBack(n int64) {
	taken := min(a.available, n)
	a.available -= taken
	a.owed += n - taken
}

// said is an approval with the balance as it is now.
func (a *account) said(points int64) reply {
	return reply{available: a.available - a.owed, held: a.held, points: points}
}

// Declines, in the words of HTTP.
const (
	insufficient   = "insufficient_points"
	reversedBefore = "reversed_before"
	confirmed      = "already_confirmed"
	voided         = "already_voided"
)

const marked = "marked" // a key whose reversal came first

// serve answers a request and changes the account.
func (a *account) serve(r request) reply {
	key := r.client + r.Key
	if was, ok := a.keys[key]; ok {
		if was.code == marked {
			return reply{code: reversedBefore} // and stays so
		}
		return was
	}
	said := a.first(r)
	a.keys[key] = said
	return said
}

func (a *account) first(r request) reply {
	key := r.client + r.Key
	earned := (r.Total - r.Points) / 10
	switch r.Kind {
	case rig.Authorize:
		if r.Points > a.available {
			return reply{code: insufficient}
		}
		a.available -= r.Points
		a.held += r.Points
		a.sales[key] = sale{"open", r.Points, r.Total, earned}
		return a.said(earned)
	case rig.Accrue:
		a.earn(earned)
		a.sales[key] = sale{"confirmed", 0, r.Total, earned}
		return a.said(earned)
	case rig.Confirm, rig.Void:
		s := a.sales[r.Original]
		switch s.state {
		case "confirmed":
			return reply{code: confirmed}
		case "voided", "reversed":
			return reply{code: voided}
		}
		a.held -= s.points
		if r.Kind == rig.Void {
			a.available += s.points
			s.state = "voided"
			a.sales[r.Original] = s
			return a.said(0)
		}
		a.earn(s.earned)
		s.state = "confirmed"
		a.sales[r.Original] = s
		return a.said(s.earned)
	}
	return a.reverse(r)
}

// reverse undoes what a key did; of an unknown one it leaves a mark.
func (a *account) reverse(r request) reply {
	of := r.client + r.Original
	was, known := a.keys[of]
	if !known {
		a.keys[of] = reply{code: marked}
		return reply{}
	}
	about := of
	if r.original == rig.Confirm {
		about = r.Sale // the purchase's key
	}
	s := a.sales[about]
	switch {
	case was.code != "":
	case r.original == rig.Authorize && s.state == "confirmed":
		return reply{code: confirmed}
	case r.original == rig.Authorize && s.state == "open":
		a.held -= s.points
		a.available += s.points
		s.state = "voided"
	case r.original != rig.Authorize && s.state == "confirmed":
		a.available += s.points
		a.takeBack(s.earned)
		s.state = "reversed"
	}
	a.sales[about] = s
	return reply{}
}

// spec is the account for porcupine: members have nothing to do with each other.
func spec(points int64) porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			by := map[string][]porcupine.Operation{}
			for _, op := range history {
				member := op.Input.(request).member
				by[member] = append(by[member], op)
			}
			var parts [][]porcupine.Operation
			for _, member := range slices.Sorted(maps.Keys(by)) {
				parts = append(parts, by[member])
			}
			return parts
		},
		Init: func() any { return newAccount(points) },
		Step: func(state, input, output any) (bool, any) {
			was := state.(account)
			a := was.copy()
			r, heard := input.(request), output.(reply)
			said := a.serve(r)
			if heard.lost {
				return true, a
			}
			if r.Kind == rig.Reverse && said.code == "" { // it may tell of nobody
				return heard.code == "", a
			}
			return heard == said, a
		},
		Equal: func(x, y any) bool { return reflect.DeepEqual(x, y) },
		DescribeOperation: func(input, output any) string {
			r, heard := input.(request), output.(reply)
			return strings.TrimSpace(fmt.Sprintf("%s %s%s of %s %d/%d → %+v", r.Kind, r.client, r.Key, r.Original, r.Points, r.Total, heard))
		},
	}
}

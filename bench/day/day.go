// Package day describes the traffic of a shop's day and plays it: tills that
// ask, hold, confirm, void, earn and take goods back, in the shares and for the
// baskets that a short document names, with requests sent twice and reversals
// that come late.
//
// Each connection is a till. It decides by its own random numbers what comes
// next, and can only confirm what it holds and take back what it has sold: so
// the shares come out as described, if not in each second. What was
// acknowledged goes into the bench's books ([tillgate/bench/books]).
package day

import (
	_ "embed"
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
)

// Day is a described day.
type Day struct {
	Name     string   `yaml:"day"`
	Requests Requests `yaml:"requests"`
	Baskets  []Basket `yaml:"baskets"`
	// Redeem is the percentage of authorizations that spend points: a tenth of
	// the receipt.
	Redeem float64 `yaml:"redeem"`
	// Repeats is the percentage of requests that are sent once more after their
	// answer, because a till did not see it; the answer must be the same bytes.
	Repeats float64 `yaml:"repeats"`
	// Late is how many requests a till sends between an authorization and its
	// late reversal.
	Late int `yaml:"late"`
	// Members says how they are drawn.
	Members Members `yaml:"members"`
}

// Requests are the shares of requests by kind, in whatever unit: they are
// divided by their sum.
type Requests struct {
	Quote     float64 `yaml:"quote"` // over ISO 8583, which has none: a balance
	Authorize float64 `yaml:"authorize"`
	Confirm   float64 `yaml:"confirm"`
	Void      float64 `yaml:"void"`
	Reverse   float64 `yaml:"reverse"` // of an authorization, late
	Accrue    float64 `yaml:"accrue"`
	Return    float64 `yaml:"return"` // of a whole sale
}

// Basket is a size of baskets and its share among them.
type Basket struct {
	Lines int     `yaml:"lines"`
	Share float64 `yaml:"share"`
}

// Members say how a request's member is drawn: evenly, by Zipf's law with an
// exponent, or always the same.
type Members struct {
	Zipf float64 `yaml:"zipf"` // 0: evenly
	Hot  bool    `yaml:"hot"`  // one member for all
}

// Weekday is the day that is played unless another is named.
//
//go:embed weekday.yaml
var Weekday []byte

// Pairs is a day of authorizations alone, each voided at once: what the goals
// compare draws of members by.
func Pairs(m Members) *Day {
	return &Day{
		Name: "authorize and void", Requests: Requests{Authorize: 1, Void: 1},
		Baskets: []Basket{{Lines: 2, Share: 1}}, Redeem: 100, Members: m,
	}
}

// Bounds of a day.
const (
	maxLines   = 50 // a message of ISO 8583 holds at most some 60
	maxBaskets = 8
	maxLate    = 1000
)

// Parse reads a day. Unknown keys and figures out of bounds are refused.
func Parse(document []byte) (*Day, error) {
	d := &Day{}
	if err := yaml.UnmarshalWithOptions(document, d, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("the description of the day: %w", err)
	}
	return d, d.Validate()
}

// Validate reports what is out of bounds or can't be played.
func (d *Day) Validate() error {
	var err error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			err = errors.Join(err, fmt.Errorf("the description of the day: "+format, args...))
		}
	}
	sum := 0.0
	for k, w := range d.Requests.weights() {
		check(w >= 0, "requests.%s must not be negative", action(k))
		sum += max(0, w)
	}
	r := d.Requests
	check(sum > 0, "requests must name at least one kind with a share")
	check(r.Confirm+r.Void+r.Reverse <= r.Authorize, "confirm, void and reverse end what authorize began: together they can't be more")
	check(r.Return <= r.Confirm+r.Accrue, "only what was sold comes back: return can't be more than confirm and accrue")
	check(len(d.Baskets) >= 1 && len(d.Baskets) <= maxBaskets, "baskets must name 1 to %d sizes", maxBaskets)
	share := 0.0
	for _, b := range d.Baskets {
		check(b.Lines >= 1 && b.Lines <= maxLines, "a basket has 1 to %d lines", maxLines)
		check(b.Share >= 0, "a basket's share must not be negative")
		share += b.Share
	}
	check(share > 0, "baskets must have shares")
	check(d.Redeem >= 0 && d.Redeem <= 100, "redeem is a percentage")
	check(d.Repeats >= 0 && d.Repeats <= 50, "repeats is a percentage, at most 50")
	check(d.Late >= 0 && d.Late <= maxLate, "late must be 0 to %d requests", maxLate)
	check(d.Members.Zipf == 0 || d.Members.Zipf > 1 && d.Members.Zipf <= 10, "members.zipf must be above 1 and at most 10, or 0 for an even draw")
	check(d.Members.Zipf == 0 || !d.Members.Hot, "members are drawn by Zipf's law or are one, not both")
	return err
}

// String tells how members are drawn.
func (m Members) String() string {
	switch {
	case m.Hot:
		return "one member"
	case m.Zipf != 0:
		return fmt.Sprintf("members by Zipf %.2g", m.Zipf)
	}
	return "members drawn evenly"
}

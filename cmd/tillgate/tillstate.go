package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tillgate/protocol"
)

// tillState is what a till remembers between two commands, as a real one does
// in its memory: its counters, what it holds open, what it has sold in this
// shift. It holds nothing personal.
type tillState struct {
	STAN    int                  `json:"stan"`
	Shift   int                  `json:"shift"`
	Receipt int                  `json:"receipt"`
	Last    sentMessage          `json:"last"`   // what 'reverse' undoes
	Sales   map[string]tillSale  `json:"sales"`  // by id: held or booked in this shift
	Recent  string               `json:"recent"` // the newest of them
	Totals  protocol.ShiftTotals `json:"totals"` // of this shift, minor units
}

// sentMessage is how a message is named in DE90, and the sale it was about.
type sentMessage struct {
	MTI, STAN, DE7, Sale string
}

// tillSale is one purchase as the till knows it, minor units.
type tillSale struct {
	Total    int64  `json:"total"`
	Redeemed int64  `json:"redeemed"`
	Payable  int64  `json:"payable"`
	Receipt  string `json:"receipt"`
	Booked   bool   `json:"booked"`
	Returned int64  `json:"returned"` // money and points
	Back     int64  `json:"back"`     // points of it
}

// defaultState is where a terminal's state is kept unless told otherwise.
func defaultState(terminal string) (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for the till's state: %w; name a file with --state", err)
	}
	return filepath.Join(dir, "tillgate", "till-"+filepath.Base(terminal)+".json"), nil
}

// loadState reads a till's state; a till that has none begins its first shift.
func loadState(file string) (*tillState, error) {
	s := &tillState{Shift: 1, Sales: map[string]tillSale{}}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the till's state: %w", err)
	}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("the till's state in %s can't be read (%w); remove the file to begin anew", file, err)
	}
	if s.Sales == nil {
		s.Sales = map[string]tillSale{}
	}
	return s, nil
}

// save writes the state so that a crash leaves the old one or the new one.
func (s *tillState) save(file string) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("keep the till's state: %w", err)
	}
	if err := os.WriteFile(file+".new", append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("keep the till's state: %w", err)
	}
	return os.Rename(file+".new", file)
}

// nextSTAN counts 000001 … 999999 and begins again, as tills do.
func (s *tillState) nextSTAN() string {
	s.STAN = s.STAN%999999 + 1
	return fmt.Sprintf("%06d", s.STAN)
}

// booked counts a sale of the shift.
func (s *tillState) booked(id string, sale tillSale) {
	sale.Booked = true
	s.Sales[id], s.Recent = sale, id
	s.Totals.SalesCount++
	s.Totals.Sales += sale.Payable + sale.Redeemed
	if sale.Redeemed != 0 {
		s.Totals.RedeemedCount++
		s.Totals.Redeemed += sale.Redeemed
	}
	s.net()
}

// returned counts money and points that went back of a sale.
func (s *tillState) returned(id string, payable, points int64) {
	s.Totals.ReturnsCount++
	s.Totals.Returns += payable + points
	if points != 0 {
		s.Totals.GivenBackCount++
		s.Totals.GivenBack += points
	}
	if sale, ok := s.Sales[id]; ok {
		sale.Returned += payable + points
		sale.Back += points
		s.Sales[id] = sale
	}
	s.net()
}

func (s *tillState) net() {
	t := &s.Totals
	t.Net = t.Sales - t.Returns - t.Redeemed + t.GivenBack
}

// newShift begins the next shift; what is still held stays.
func (s *tillState) newShift() {
	s.Shift++
	s.Totals = protocol.ShiftTotals{}
	for id, sale := range s.Sales {
		if sale.Booked {
			delete(s.Sales, id)
		}
	}
}

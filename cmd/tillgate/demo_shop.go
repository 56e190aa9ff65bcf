package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"tillgate/protocol"
)

// webShop is a client of the HTTP edge.
type webShop struct {
	base, key string
	client    *http.Client
	sent      uint64 // requests so far: makes idempotency keys
	run       string
}

func newShop(address, key string) *webShop {
	return &webShop{base: "http://" + address, key: key, client: &http.Client{Timeout: 15 * time.Second},
		run: fmt.Sprintf("demo-%x", time.Now().UnixNano())}
}

// problem is a decline as the HTTP edge tells it.
type problem struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// Error is the problem in words.
func (p *problem) Error() string { return p.Code + ": " + p.Detail }

// post sends a request under a new idempotency key.
func (s *webShop) post(ctx context.Context, path string, body, into any) error {
	s.sent++
	_, err := s.postAs(ctx, fmt.Sprintf("%s-%d", s.run, s.sent), path, body, into)
	return err
}

// postAs sends a request under a key and returns the answer's bytes.
func (s *webShop) postAs(ctx context.Context, key, path string, body, into any) ([]byte, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+path, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	if s.key != "" {
		req.Header.Set("Authorization", "Bearer "+s.key)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 400 {
		var p problem
		if json.Unmarshal(answer, &p) != nil || p.Code == "" {
			return answer, fmt.Errorf("%s answered %s", path, resp.Status)
		}
		return answer, &p
	}
	if into != nil {
		return answer, json.Unmarshal(answer, into)
	}
	return answer, nil
}

// order is an answer to an authorization, a confirm or a return.
type order struct {
	ID       string `json:"id"`
	Redeemed int64  `json:"redeemed"`
	Payable  int64  `json:"payable"`
}

// shop plays the web shop's morning. It closes a shift too.
func (m *morning) shop(ctx context.Context, s *webShop) (end shiftEnd) {
	end.terminal = "WEB"
	random := rand.New(rand.NewPCG(m.flags.seed, 1<<32))
	books := &tillState{Sales: map[string]tillSale{}}
	for i := range m.flags.perTill {
		if end.err = m.order(ctx, s, books, random, i); end.err != nil {
			return end
		}
		m.step(1)
	}
	end.totals = books.Totals
	end.err = s.closeShift(ctx, m.shift, &books.Totals)
	return end
}

// order is one purchase in the web shop: authorized, paid, confirmed; now and
// then something comes back, and now and then a request is sent twice.
func (m *morning) order(ctx context.Context, s *webShop, books *tillState, random *rand.Rand, number int) error {
	who := m.customers[random.IntN(len(m.customers))]
	price := int64(100+random.IntN(4900)) * 100
	body := map[string]any{
		"terminal": "WEB", "store": "S01", "channel": "online", "member": map[string]any{"card": who.card},
		"basket": map[string]any{"lines": []map[string]any{
			{"id": "1", "sku": "4601", "category": "coffee", "quantity": "1", "price": price, "amount": price},
			{"id": "2", "sku": "4602", "category": "pastry", "quantity": "2", "price": 30000, "amount": 60000},
		}},
		"redeem": map[string]any{"max": true},
	}
	var held order
	if err := s.post(ctx, "/v1/authorizations", body, &held); err != nil {
		return m.unlessDeclined(err)
	}
	receipt := map[string]any{"number": fmt.Sprintf("W%06d", number+1), "shift": fmt.Sprint(m.shift)}
	confirm := map[string]any{"terminal": "WEB", "store": "S01", "receipt": receipt}
	key := fmt.Sprintf("%s-c%d", s.run, number)
	path := "/v1/authorizations/" + held.ID + "/confirm"
	first, err := s.postAs(ctx, key, path, confirm, &held)
	if err != nil {
		return m.unlessDeclined(err)
	}
	if random.IntN(4) == 0 {
		again, err := s.postAs(ctx, key, path, confirm, nil)
		if err != nil || !bytes.Equal(first, again) {
			return fmt.Errorf("a repeated confirm got another answer (%w)", err)
		}
		m.count("requests repeated by the shop")
	}
	m.count("holds confirmed")
	books.booked(held.ID, tillSale{Redeemed: held.Redeemed, Payable: held.Payable})
	if random.IntN(10) != 0 {
		return nil
	}
	return m.comesBack(ctx, s, books, held.ID)
}

// comesBack returns one of the two pastries.
func (m *morning) comesBack(ctx context.Context, s *webShop, books *tillState, id string) error {
	var back order
	err := s.post(ctx, "/v1/returns", map[string]any{
		"authorization": id, "terminal": "WEB", "store": "S01",
		"receipt": map[string]any{"number": "R" + id, "shift": fmt.Sprint(m.shift)},
		"lines":   []map[string]any{{"id": "2", "quantity": "1"}},
	}, &back)
	if err != nil {
		return m.unlessDeclined(err)
	}
	m.count("returns")
	books.returned(id, back.Payable, back.Redeemed)
	return nil
}

// unlessDeclined lets a decline pass as part of the morning.
func (m *morning) unlessDeclined(err error) error {
	var p *problem
	if errors.As(err, &p) {
		m.count("declined")
		return nil
	}
	return err
}

// closeShift compares the shop's totals with the ledger's.
func (s *webShop) closeShift(ctx context.Context, shift int, t *protocol.ShiftTotals) error {
	sum := func(n, total int64) map[string]any { return map[string]any{"count": n, "total": total} }
	var answer struct {
		Matched bool            `json:"matched"`
		Totals  json.RawMessage `json:"totals"`
	}
	err := s.post(ctx, "/v1/shifts/close", map[string]any{
		"terminal": "WEB", "store": "S01", "shift": fmt.Sprint(shift),
		"totals": map[string]any{
			"sales": sum(t.SalesCount, t.Sales), "returns": sum(t.ReturnsCount, t.Returns),
			"redeemed": sum(t.RedeemedCount, t.Redeemed), "given_back": sum(t.GivenBackCount, t.GivenBack), "net": t.Net,
		},
	}, &answer)
	switch {
	case err != nil:
		return err
	case !answer.Matched:
		return fmt.Errorf("the totals differ; the host has %s", answer.Totals)
	}
	return nil
}

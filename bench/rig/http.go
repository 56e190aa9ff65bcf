package rig

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Shop is an [Edge] over HTTP.
type Shop struct {
	Base     string // http://host:port
	Terminal string
	Store    string
	Key      string // API key, "" for none
	client   http.Client
}

// NewShop makes a shop with a connection of its own.
func NewShop(base, terminal string) *Shop {
	return &Shop{
		Base: base, Terminal: terminal, Store: "S01",
		client: http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1}},
	}
}

// Close ends the shop's connections.
func (s *Shop) Close() { s.client.CloseIdleConnections() }

// answer is the part of every answer that the rig looks at.
type answer struct {
	ID       string          `json:"id"`
	Status   json.RawMessage `json:"status"`
	Redeemed int64           `json:"redeemed"`
	Payable  int64           `json:"payable"`
	Earned   json.RawMessage `json:"earned"`
	Code     string          `json:"code"`
	Detail   string          `json:"detail"`
	Balance  struct {
		Available int64 `json:"available"`
		Held      int64 `json:"held"`
		Pending   int64 `json:"pending"`
		Deficit   int64 `json:"deficit"`
	} `json:"balance"`
}

// Send posts a request under its idempotency key.
func (s *Shop) Send(a Ask) (Figures, []byte, error) {
	path, body := s.request(a)
	status, got, err := s.Post(path, s.Terminal+"-"+a.Key, body)
	if err != nil {
		return Figures{}, nil, err
	}
	if status >= 500 {
		return Figures{}, nil, fmt.Errorf("%s: status %d", path, status)
	}
	var r answer
	if err := json.Unmarshal(got, &r); err != nil {
		return Figures{}, nil, fmt.Errorf("%s: an answer that is no JSON: %w", path, err)
	}
	if status >= 300 {
		return Figures{}, got, &Declined{Code: r.Code, Detail: r.Detail}
	}
	f := Figures{
		ID: r.ID, Status: strings.Trim(string(r.Status), `"`), Redeemed: r.Redeemed, Payable: r.Payable,
		Available: r.Balance.Available - r.Balance.Deficit, Held: r.Balance.Held, Pending: r.Balance.Pending,
	}
	f.Earned, err = earned(r.Earned)
	return f, got, err
}

// earned reads a number, or the points of {"points": n}.
func earned(raw json.RawMessage) (int64, error) {
	if len(raw) == 0 {
		return 0, nil
	}
	var n int64
	if json.Unmarshal(raw, &n) == nil {
		return n, nil
	}
	var o struct {
		Points int64 `json:"points"`
	}
	err := json.Unmarshal(raw, &o)
	return o.Points, err
}

func (s *Shop) request(a Ask) (path string, body map[string]any) {
	body = map[string]any{"terminal": s.Terminal, "store": s.Store}
	basket := func() {
		body["member"] = map[string]any{"card": a.Member}
		half := a.Total / 2
		body["basket"] = map[string]any{"lines": []any{
			map[string]any{"id": "1", "sku": "4601", "category": "coffee", "quantity": "1", "price": half, "amount": half},
			map[string]any{"id": "2", "sku": "4602", "category": "pastry", "quantity": "2", "price": a.Total - half, "amount": a.Total - half},
		}}
	}
	switch a.Kind {
	case Authorize:
		basket()
		if a.Points > 0 {
			body["redeem"] = map[string]any{"points": a.Points}
		}
		return "/v1/authorizations", body
	case Accrue:
		basket()
		return "/v1/accruals", body
	case Confirm:
		body["receipt"] = map[string]any{"number": a.Receipt, "shift": "1"}
		return "/v1/authorizations/" + a.Sale + "/confirm", body
	case Void:
		return "/v1/authorizations/" + a.Sale + "/void", body
	case Return:
		body["authorization"], body["amount"] = a.Sale, a.Total
		return "/v1/returns", body
	}
	body["idempotency_key"] = s.Terminal + "-" + a.Original
	return "/v1/reversals", body
}

// Post sends a JSON body under an idempotency key, "" for none.
func (s *Shop) Post(path, key string, body any) (status int, answer []byte, err error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	return s.do(http.MethodPost, path, key, raw)
}

// Get asks for a path.
func (s *Shop) Get(path string) (status int, answer []byte, err error) {
	return s.do(http.MethodGet, path, "", nil)
}

func (s *Shop) do(method, path, key string, body []byte) (int, []byte, error) {
	req, err := http.NewRequest(method, s.Base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	if s.Key != "" {
		req.Header.Set("Authorization", "Bearer "+s.Key)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }() // it was read; there is nothing to lose
	got, err := io.ReadAll(res.Body)
	return res.StatusCode, got, err
}

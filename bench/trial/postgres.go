package trial

import (
	"context"

	"tillgate/bench/peer"
	"tillgate/bench/report"
)

// mostBank is how many members the bank in PostgreSQL has at most.
const mostBank = 1_000_000

func (t *trial) bankMembers() int { return min(t.Members, mostBank) }

// repeatPostgres measures the hold by PostgreSQL, and the projection.
func (c *contest) repeatPostgres(ctx context.Context, r int) error {
	clients := c.iso.connections
	c.Step(step(r)+bankLoad, c.Length)
	b, err := peer.Bank(ctx, c.Peer, c.bank, clients, c.bankMembers(), c.Length)
	if err != nil {
		return err
	}
	l := c.loadNamed(bankLoad, edge{connections: clients, inFlight: 1}, false)
	l.Rate, l.Approved = append(l.Rate, b.Rate), l.Approved+b.Holds
	for name, v := range map[string]float64{"p50": b.P50, "p99": b.P99, "p99.9": b.P999} {
		l.Latency[name] = append(l.Latency[name], v)
	}
	c.figure("durable authorize over ISO/TCP ÷ the same hold by PostgreSQL", "×", last(c.rates(isoLoad))/b.Rate)

	return c.repeatProjection(ctx, r)
}

func last(s report.Series) float64 {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1]
}

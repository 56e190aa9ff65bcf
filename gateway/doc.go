// Package gateway is the edge: a fasthttp server for shops and applications
// and TCP listeners for tills that speak ISO 8583. It says who is asking,
// refuses what is malformed, too large, too slow or too much, hands the rest
// to the switch as one [protocol.Exchange], and renders the answer.
//
// It keeps no state of its own but sessions: any number of gateways may stand
// before one processor. Everything here is bounded (connections in total and
// per address, requests in flight, bodies, frames, headers, time), and what
// is over a bound is refused at once with the table's 91 or 503 rather than
// queued: a till that waits is worse off than one that is told to retry.
//
// See docs/gateway.md and docs/security.md.
package gateway

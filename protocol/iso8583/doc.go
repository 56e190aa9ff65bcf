// Package iso8583 is the till's side of the protocol: ISO 8583:1987 over TCP.
//
// One field table (spec.go) says what a message may hold. Two things are made
// of it: a moov-io/iso8583 MessageSpec, which tests and dumps use, and a codec
// for the hot path that allocates nothing (codec.go, encode.go). A differential
// fuzz test holds the second to the first, byte for byte and both ways; where
// we are stricter is a closed list (docs/iso8583.md, "What is refused").
//
// The way of a message through the package:
//
//	Reader → Frame → Codec.Decode → Message → Message.Request → protocol.Request
//	protocol.Response → Codec.AppendAnswer → Framing.Open/Close → socket
//
// Everything here is pure: no clock, no I/O but Reader's one Read, no logging.
// The bytes of an answer depend on the request and the response alone, so that
// a repeat gets the same bytes.
package iso8583

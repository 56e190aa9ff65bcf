package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// HTTP is a [Wire] of HTTP/1.1 requests on one connection. Answers come in the
// order of the requests.
type HTTP struct {
	Path string
	Host string
	// Body appends the body of the n-th request, Key its idempotency key.
	Body func(dst []byte, n uint64) []byte
	Key  func(dst []byte, n uint64) []byte

	body, key []byte
	read      uint64
}

// Append appends a request with all its headers.
func (h *HTTP) Append(dst []byte, n uint64) []byte {
	h.body = h.Body(h.body[:0], n)
	h.key = h.Key(h.key[:0], n)
	dst = append(dst, "POST "...)
	dst = append(dst, h.Path...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, h.Host...)
	dst = append(dst, "\r\nContent-Type: application/json\r\nIdempotency-Key: "...)
	dst = append(dst, h.key...)
	dst = append(dst, "\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(h.body)), 10)
	dst = append(dst, "\r\n\r\n"...)
	return append(dst, h.body...)
}

var contentLength = []byte("content-length:")

// Read reads one answer; its body is passed over.
func (h *HTTP) Read(r *bufio.Reader) (uint64, Outcome, error) {
	status, err := readLine(r)
	if err != nil {
		return 0, 0, err
	}
	if len(status) < 12 || !bytes.HasPrefix(status, []byte("HTTP/1.1 ")) {
		return 0, 0, fmt.Errorf("no status line: %q", status)
	}
	outcome := Declined
	switch {
	case status[9] == '2':
		outcome = Approved
	case status[9] == '5':
		outcome = Shed
	}
	length := -1
	for {
		header, err := readLine(r)
		if err != nil {
			return 0, 0, err
		}
		if len(header) == 0 {
			break
		}
		if len(header) > len(contentLength) && bytes.EqualFold(header[:len(contentLength)], contentLength) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(header[len(contentLength):]))); err != nil {
				return 0, 0, err
			}
		}
	}
	if length < 0 {
		return 0, 0, errors.New("an answer without a length")
	}
	if _, err := io.CopyN(io.Discard, r, int64(length)); err != nil {
		return 0, 0, err
	}
	h.read++
	return h.read - 1, outcome, nil
}

// readLine is one line without its end; valid until the next read.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

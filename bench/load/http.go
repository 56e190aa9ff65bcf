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
	// Request appends the n-th request, headers and body.
	Request func(dst []byte, n uint64) []byte
	// Answered gets the status and the body of the answer to the n-th request,
	// lent until it returns. Nil: bodies are passed over.
	Answered func(n uint64, status int, body []byte)

	read uint64
	body []byte
}

// Append appends a request.
func (h *HTTP) Append(dst []byte, n uint64) []byte { return h.Request(dst, n) }

// Read reads one answer.
func (h *HTTP) Read(r *bufio.Reader) (uint64, Outcome, error) {
	line, err := readLine(r)
	if err != nil {
		return 0, 0, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, 0, fmt.Errorf("no status line: %q", line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, 0, fmt.Errorf("no status: %w", err)
	}
	length, err := readHeaders(r)
	if err != nil {
		return 0, 0, err
	}
	if h.Answered == nil {
		_, err = r.Discard(length)
	} else {
		h.body = append(h.body[:0], make([]byte, length)...)
		if _, err = io.ReadFull(r, h.body); err == nil {
			h.Answered(h.read, status, h.body)
		}
	}
	h.read++
	return h.read - 1, outcome(status), err
}

func outcome(status int) Outcome {
	switch {
	case status < 300:
		return Approved
	case status >= 500:
		return Shed
	}
	return Declined
}

// maxBody bounds what one answer may cost: none that is measured comes near.
const maxBody = 1 << 20

var contentLength = []byte("content-length:")

// readHeaders passes over the headers and returns the length of the body.
func readHeaders(r *bufio.Reader) (length int, err error) {
	length = -1
	for {
		header, err := readLine(r)
		if err != nil {
			return 0, err
		}
		if len(header) == 0 {
			break
		}
		if len(header) > len(contentLength) && bytes.EqualFold(header[:len(contentLength)], contentLength) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(header[len(contentLength):]))); err != nil {
				return 0, err
			}
		}
	}
	if length < 0 {
		return 0, errors.New("an answer without a length")
	}
	if length > maxBody {
		return 0, fmt.Errorf("a body of %d bytes, at most %d", length, maxBody)
	}
	return length, nil
}

// readLine is one line without its end; valid until the next read.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

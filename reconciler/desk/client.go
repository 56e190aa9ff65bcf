package desk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"tillgate/protocol"
)

// ErrNotRunning says that no server has the data directory open.
var ErrNotRunning = errors.New("no server is running on this data directory")

// Client asks the server that has a data directory open.
type Client struct{ http *http.Client }

// Dial makes a client; whether a server is there shows with the first request
// ([ErrNotRunning]).
func Dial(dir string) *Client {
	path := filepath.Join(dir, Socket)
	return &Client{&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}}
}

// Backup has the server write a copy of the ledger to a new directory, which
// is named by its absolute path.
func (c *Client) Backup(ctx context.Context, dir string) error {
	_, err := c.ask(ctx, http.MethodPost, "/backup", url.Values{"dir": {dir}}, io.Discard)
	return err
}

// Export copies the operations of a merchant to w ([Operations]), or a report.
func (c *Client) Export(ctx context.Context, w io.Writer, merchant, name string, from, to time.Time, format string) error {
	q := url.Values{"merchant": {merchant}, "format": {format}, "from": {from.Format(time.RFC3339Nano)}, "to": {to.Format(time.RFC3339Nano)}}
	_, err := c.ask(ctx, http.MethodGet, "/export/"+url.PathEscape(name), q, w)
	return err
}

// ExportAll copies everything that belongs to a merchant to w, as a ZIP archive.
func (c *Client) ExportAll(ctx context.Context, w io.Writer, merchant string) error {
	_, err := c.ask(ctx, http.MethodGet, "/export/all", url.Values{"merchant": {merchant}}, w)
	return err
}

// WhatIf has the server replay a draft, which is the Office's WhatIf; progress
// is called with how many of how many records have been read.
func (c *Client) WhatIf(ctx context.Context, merchant string, draft []byte, from, to int64, progress func(done, total int64)) (*protocol.WhatIf, error) {
	q := url.Values{"merchant": {merchant}, "from": {strconv.FormatInt(from, 10)}, "to": {strconv.FormatInt(to, 10)}}
	lines, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		_, err := c.send(ctx, http.MethodPost, "/whatif", q, bytes.NewReader(draft), in)
		ended <- errors.Join(err, in.CloseWithError(err))
	}()
	var report *protocol.WhatIf
	for d := json.NewDecoder(lines); ; {
		var line Replay
		if err := d.Decode(&line); err != nil {
			break // the end, or what send tells
		}
		if report = line.Report; report == nil {
			progress(line.Done, line.Total)
		}
	}
	err := errors.Join(lines.Close(), <-ended)
	if err == nil && report == nil {
		err = errors.New("the server broke off")
	}
	return report, err
}

// Verify has the server prove its books; what it finds goes to w.
func (c *Client) Verify(ctx context.Context, w io.Writer) (ok bool, err error) {
	trailers, err := c.ask(ctx, http.MethodGet, "/verify", nil, w)
	return err == nil && trailers.Get(trailer) == "true", err
}

func (c *Client) ask(ctx context.Context, method, path string, q url.Values, w io.Writer) (http.Header, error) {
	return c.send(ctx, method, path, q, nil, w)
}

func (c *Client) send(ctx context.Context, method, path string, q url.Values, body io.Reader, w io.Writer) (http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://desk"+path+"?"+q.Encode(), body)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		var a answer
		if err := json.NewDecoder(io.LimitReader(response.Body, 1<<16)).Decode(&a); err != nil || a.Error == "" {
			return nil, fmt.Errorf("the server answered %s", response.Status)
		}
		return nil, errors.New(a.Error)
	}
	if _, err := io.Copy(w, response.Body); err != nil {
		return nil, fmt.Errorf("the server broke off: %w", err)
	}
	return response.Trailer, nil
}

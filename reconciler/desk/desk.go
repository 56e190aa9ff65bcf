// Package desk is where the command line of the same machine asks a running
// server for what only the process that has the ledger open can do: a backup
// while it serves, an export, a proof of the books. It is HTTP over a Unix
// socket in the data directory.
//
// Who may write in the data directory may ask; there are no keys. The socket
// is for its owner only, and nothing of it is reachable over the network.
package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"tillgate/protocol"
)

// Socket is the name of the socket in the data directory.
const Socket = "desk.sock"

// maxPath is what the kernel's sockaddr_un holds, less the final zero.
const maxPath = 103

// Office is what the desk passes requests on to. All of it may be called
// while tills are served.
type Office interface {
	// Backup writes a copy of the ledger to a directory that doesn't exist yet.
	Backup(ctx context.Context, dir string) error
	Export(ctx context.Context, w io.Writer, merchant string, from, to time.Time, format string) error
	// Report writes a report by its name; formats are those of Export and json.
	Report(ctx context.Context, w io.Writer, merchant, name string, from, to time.Time, format string) error
	ExportAll(ctx context.Context, w io.Writer, merchant string) error
	// WhatIf replays a draft of a merchant's programme over what was booked in
	// [from, to), unix ns, 0 for all there is, and writes a [Replay] a line:
	// how far it is, and at last the report. There is one at a time.
	WhatIf(ctx context.Context, w io.Writer, merchant string, draft []byte, from, to int64) error
	// Verify proves the books and writes what it has found, a line each; ok is
	// false if anything is wrong.
	Verify(ctx context.Context, w io.Writer) (ok bool, err error)
}

// Operations is the name of the export that is no report.
const Operations = "operations"

// Run answers on the socket in dir until ctx ends. That dir's ledger is open
// in this process is what makes the socket ours: one that lies there was left
// by a process that was killed.
func Run(ctx context.Context, dir string, office Office, log *slog.Logger) error {
	path := filepath.Join(dir, Socket)
	if len(path) > maxPath {
		return fmt.Errorf("the path of the socket is longer than %d bytes: %w", maxPath, fs.ErrInvalid)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{
		Handler:           handler(office, log),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case <-ctx.Done():
		return errors.Join(server.Close(), ignoreClosed(<-ended))
	case err := <-ended:
		return err
	}
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func handler(office Office, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /backup", func(w http.ResponseWriter, r *http.Request) {
		dir := r.URL.Query().Get("dir")
		if !filepath.IsAbs(dir) {
			refuse(w, errors.New("an absolute directory is wanted"))
			return
		}
		if err := office.Backup(r.Context(), dir); err != nil {
			log.Error("a backup failed", "cause", err.Error())
			refuse(w, err)
			return
		}
		log.Info("a backup was written", "dir", dir)
	})
	mux.HandleFunc("GET /export/{name}", func(w http.ResponseWriter, r *http.Request) {
		q, name := r.URL.Query(), r.PathValue("name")
		from, err := time.Parse(time.RFC3339Nano, q.Get("from"))
		to, err2 := time.Parse(time.RFC3339Nano, q.Get("to"))
		if err := errors.Join(err, err2); err != nil {
			refuse(w, err)
			return
		}
		stream(w, func(out io.Writer) error {
			if name == Operations {
				return office.Export(r.Context(), out, q.Get("merchant"), from, to, q.Get("format"))
			}
			return office.Report(r.Context(), out, q.Get("merchant"), name, from, to, q.Get("format"))
		})
	})
	mux.HandleFunc("GET /export/all", func(w http.ResponseWriter, r *http.Request) {
		stream(w, func(out io.Writer) error {
			return office.ExportAll(r.Context(), out, r.URL.Query().Get("merchant"))
		})
	})
	mux.HandleFunc("POST /whatif", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		from, err := strconv.ParseInt(q.Get("from"), 10, 64)
		to, err2 := strconv.ParseInt(q.Get("to"), 10, 64)
		draft, err3 := io.ReadAll(io.LimitReader(r.Body, protocol.MaxBody+1))
		if err := errors.Join(err, err2, err3); err != nil {
			refuse(w, err)
			return
		}
		stream(w, func(out io.Writer) error {
			return office.WhatIf(r.Context(), out, q.Get("merchant"), draft, from, to)
		})
	})
	mux.HandleFunc("GET /verify", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", trailer)
		stream(w, func(out io.Writer) error {
			ok, err := office.Verify(r.Context(), out)
			w.Header().Set(trailer, fmt.Sprint(ok && err == nil))
			return err
		})
	})
	return mux
}

// Replay is a line of an answer about a draft: so many of the records have
// been read, or what came of it.
type Replay struct {
	Done, Total int64
	Report      *protocol.WhatIf
}

// trailer tells behind the findings whether the books are in order.
const trailer = "Tillgate-Proved"

// answer is the body of a refusal.
type answer struct {
	Error string `json:"error"`
}

func refuse(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusServiceUnavailable)
	_ = json.NewEncoder(w).Encode(answer{err.Error()}) // a caller who has gone needs no answer
}

// stream sends what write writes. An error before the first byte is an answer;
// a later one breaks the connection off, so that half a file is never taken
// for a whole one.
func stream(w http.ResponseWriter, write func(io.Writer) error) {
	out := &counted{w: w}
	err := write(out)
	switch {
	case err == nil:
	case out.n == 0:
		refuse(w, err)
	default:
		panic(http.ErrAbortHandler)
	}
}

type counted struct {
	w http.ResponseWriter
	n int
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += n
	return n, err
}

// Flush sends what has been written: a line about progress is worth nothing
// later.
func (c *counted) Flush() error { return http.NewResponseController(c.w).Flush() }

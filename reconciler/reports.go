package reconciler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tillgate/protocol"
	"tillgate/reconciler/export"
	"tillgate/reconciler/project"
)

// Unavailable is why a report can't be had at the moment, in words for the
// caller: it holds no address and no name of the inside.
type Unavailable struct{ why string }

func (u *Unavailable) Error() string { return u.why }

// Reason is the sentence for the caller.
func (u *Unavailable) Reason() string { return u.why }

var (
	errNoDatabase  = &Unavailable{"no reporting database is configured; tills are served all the same"}
	errStarting    = &Unavailable{"the reporting database is starting; try again in a moment; tills are served all the same"}
	errUnreachable = &Unavailable{"the reporting database can't be reached or brought up to date at the moment; tills are served all the same"}
	errBrokers     = &Unavailable{"the stream's brokers can't be reached at the moment; tills are served all the same"}
)

// Export writes the operations of a merchant that were booked in [from, to).
// What was synced when it was called is in it: it waits for the projection,
// up to the limit, and is an *Unavailable with the reason beyond that.
func (r *Reconciler) Export(ctx context.Context, w io.Writer, merchant string, from, to time.Time, format string) error {
	config, err := r.current(ctx)
	if err != nil {
		return err
	}
	return r.told(export.Operations(ctx, config, w, merchant, from, to, format))
}

// Report writes one of [protocol.Reports] about what a merchant has booked in
// [from, to), as Export does.
func (r *Reconciler) Report(ctx context.Context, w io.Writer, merchant, name string, from, to time.Time, format string) error {
	if !slices.Contains(protocol.Reports, name) {
		return fmt.Errorf("there is no report %q; there are %s", name, strings.Join(protocol.Reports, ", "))
	}
	config, err := r.current(ctx)
	if err != nil {
		return err
	}
	terms := export.Terms{Zone: time.UTC, Value: 10_000}
	if r.parts.Terms != nil {
		terms = r.parts.Terms(merchant)
	}
	return r.told(export.Report(ctx, config, w, merchant, name, from, to, terms, format))
}

// ExportAll writes everything that belongs to a merchant into a ZIP archive.
func (r *Reconciler) ExportAll(ctx context.Context, w io.Writer, merchant string) error {
	config, err := r.current(ctx)
	if err != nil {
		return err
	}
	return r.told(export.All(ctx, config, w, merchant, r.files(merchant)))
}

// current waits until everything that is synced now is in PostgreSQL, and
// says how to connect.
func (r *Reconciler) current(ctx context.Context) (*pgx.ConnConfig, error) {
	r.mu.Lock()
	p, dsn := r.projector, r.dsn
	r.mu.Unlock()
	if p == nil {
		return nil, r.without()
	}
	if err := r.trouble(p); err != nil {
		return nil, err
	}
	l := r.parts.Ledger
	marks := make([]uint64, l.Partitions())
	for i := range marks {
		marks[i] = l.Synced(i)
	}
	limited, cancel := context.WithTimeout(ctx, r.o.CatchUp)
	defer cancel()
	if err := p.Wait(limited, marks); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := r.trouble(p); err != nil {
			return nil, err
		}
		lag, known := p.Lag()
		if !known {
			return nil, errUnreachable
		}
		return nil, &Unavailable{fmt.Sprintf("the reporting database is %d records behind the ledger; try again later", lag)}
	}
	return project.Config(dsn)
}

// trouble turns the projector's trouble into words for the caller.
func (r *Reconciler) trouble(p *project.Projector) error {
	cause := p.Trouble()
	var gap *project.GapError
	switch {
	case cause == nil:
		return nil
	case errors.As(cause, &gap):
		return &Unavailable{"records are missing on the way to the reporting database; nothing is told until they are there"}
	case errors.Is(cause, project.ErrOtherLedger), errors.Is(cause, project.ErrAhead):
		return &Unavailable{"the reporting database belongs to another ledger or to a newer state of this one; an operator has to decide"}
	}
	return errUnreachable
}

// told logs the cause of a failure, which may hold addresses, and keeps it
// from the caller.
func (r *Reconciler) told(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	r.parts.Logger.Error("an export failed", "cause", err.Error())
	return errUnreachable
}

// files are a merchant's programmes and directories.
func (r *Reconciler) files(merchant string) []export.File {
	var files []export.File
	if from := r.parts.Directories; from != nil {
		for _, name := range from.Directories() {
			files = append(files, export.File{Name: name + ".jsonl", Write: func(w io.Writer) error {
				return from.WriteDirectory(w, merchant, name)
			}})
		}
	}
	programs, err := r.parts.Ledger.Programs(merchant)
	if err != nil {
		files = append(files, export.File{Name: "programs", Write: func(io.Writer) error { return err }})
	}
	for _, p := range programs {
		files = append(files, export.File{Name: fmt.Sprintf("programs/%d.yaml", p.Version), Write: func(w io.Writer) error {
			_, err := w.Write(p.Doc)
			return err
		}})
	}
	return files
}

package reconciler

import (
	"context"
	"fmt"
	"io"

	"tillgate/ledger"
)

// Backup writes a copy of the ledger, as of one moment, to a directory that
// doesn't exist yet, while it serves.
func (r *Reconciler) Backup(_ context.Context, dir string) error {
	return r.parts.Ledger.Checkpoint(dir)
}

// Verify proves the ledger's books while it serves, and PostgreSQL against
// them where it can be reached.
func (r *Reconciler) Verify(ctx context.Context, w io.Writer) (ok bool, err error) {
	proof, err := r.parts.Ledger.Verify(func(f ledger.Finding) { fmt.Fprintln(w, f) })
	if err != nil {
		return false, err
	}
	WriteProof(w, &proof)
	ok = proof.Findings == 0
	r.mu.Lock()
	dsn := r.dsn
	r.mu.Unlock()
	if dsn == "" {
		fmt.Fprintln(w, "PostgreSQL: none is configured")
		return ok, nil
	}
	report, err := VerifyPostgres(ctx, dsn, r.parts.Ledger)
	if err != nil {
		return false, r.told(err)
	}
	WriteReport(w, report)
	return ok && len(report.Faults) == 0, nil
}

// WriteProof tells what a proof of the books has looked at.
func WriteProof(w io.Writer, p *ledger.Proof) {
	fmt.Fprintf(w, "ledger: %d records in %d sealed windows, %d accounts, %d sales, %d holds, %d transfers on their way: ",
		p.Records, p.Windows, p.Accounts, p.Sales, p.Holds, p.Transit)
	if p.Dropped > 0 {
		fmt.Fprintf(w, "%d older records are dropped and known by their sums, %d accounts from before are checked by sums only: ", p.Dropped, p.BySums)
	}
	if p.Findings == 0 {
		fmt.Fprintln(w, "all in order")
	} else {
		fmt.Fprintf(w, "%d findings\n", p.Findings)
	}
	fmt.Fprintf(w, "audit: %d changes of directories, chained up to %x\n", p.Audited, p.AuditHead)
}

// WriteReport tells what a comparison of PostgreSQL with the ledger has found.
func WriteReport(w io.Writer, r *Report) {
	for _, f := range r.Faults {
		fmt.Fprintln(w, f)
	}
	fmt.Fprintf(w, "PostgreSQL: %d records in %d sealed windows, %d balances compared, %d records behind the ledger: ",
		r.Records, r.Windows, r.Accounts, r.Behind)
	if r.Dropped > 0 {
		fmt.Fprintf(w, "%d older ones by their number and sums: ", r.Dropped)
	}
	if len(r.Faults) == 0 {
		fmt.Fprintln(w, "the same as the ledger")
	} else {
		fmt.Fprintf(w, "%d differences\n", len(r.Faults))
	}
}

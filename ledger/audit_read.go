package ledger

import "errors"

// ReadAudit calls fn for each record of the audit of the store in a data
// directory that nobody has open, or of a backup, from a number on, until it
// answers false.
func ReadAudit(dir string, options Options, from uint64, fn func(*AuditRecord) bool) error {
	o, err := options.withDefaults()
	if err != nil {
		return err
	}
	l, err := openStore(dir, o, true)
	if err != nil {
		return err
	}
	return errors.Join(l.Audit(from, fn), l.db.Close())
}

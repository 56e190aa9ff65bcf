package ledger

import (
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// audited lists the records of the audit.
func auditOf(t *testing.T, l *Ledger) (all []AuditRecord) {
	t.Helper()
	require.NoError(t, l.Audit(1, func(r *AuditRecord) bool { all = append(all, *r); return true }))
	return all
}

// Every change of a directory leaves who, when, before and after; what
// changes nothing leaves nothing, and what is personal is told by its hash.
func TestChangesOfDirectoriesAreAudited(t *testing.T) {
	clock := newHandClock()
	o := quiet(vfs.NewMem(), clock)
	l := open(t, o)
	row := func(id, data string) DirectoryRow { return DirectoryRow{ID: id, Data: []byte(data)} }
	require.NoError(t, l.PutDirectory("anna", 's', "m", row("S01", "Almaty"), row("S02", "Astana")))
	require.NoError(t, l.PutDirectory("boris", 's', "m", row("S01", "Astana"), row("S02", "Astana")))
	require.NoError(t, l.PutDirectory("boris", 's', "m", row("S01", "Astana")))
	require.NoError(t, l.PutDirectory("boris", 's', "m", DirectoryRow{ID: "S02"}))
	require.NoError(t, l.PutSealed("anna", 'c', "m", row("C7", "Dana 2200001")))
	var many []DirectoryRow
	for i := range auditWhole + 1 {
		many = append(many, row(string(rune('a'+i)), "x"))
	}
	require.NoError(t, l.PutDirectory("", 'p', "m", many...))

	all := auditOf(t, l)
	require.Len(t, all, 5, "a change that changes nothing is none")
	for i, r := range all {
		require.EqualValues(t, i+1, r.Number)
		require.Equal(t, "m", r.Merchant)
		require.Equal(t, o.Clock(), r.Time)
	}
	require.Equal(t, []AuditChange{{"S01", false, nil, []byte("Almaty")}, {"S02", false, nil, []byte("Astana")}}, all[0].Changes)
	require.Equal(t, []AuditChange{{"S01", false, []byte("Almaty"), []byte("Astana")}}, all[1].Changes)
	require.Equal(t, "boris", all[1].Actor)
	require.Equal(t, []AuditChange{{"S02", false, []byte("Astana"), nil}}, all[2].Changes)
	require.NotContains(t, string(appendAudit(nil, &all[3])), "Dana")
	require.Equal(t, all[3].Changes[0].After, l.auditValue([]byte("Dana 2200001"), true), "whether it was this row can be told")
	require.True(t, all[4].Changes[0].Hashed, "an import is told by hashes")
	require.NoError(t, l.Close())

	l = open(t, o) // the chain goes on behind a restart
	require.NoError(t, l.PutDirectory("anna", 's', "m", row("S03", "Aktau")))
	require.Len(t, auditOf(t, l), 6)
	proof, err := l.Verify(func(f Finding) { t.Error(f) })
	require.NoError(t, err)
	require.EqualValues(t, 6, proof.Audited)
	require.Equal(t, auditOf(t, l)[5].Hash, proof.AuditHead)
	require.ErrorIs(t, l.PutMeta(auditHead, []byte("x")), errName, "the head is the ledger's own")
	require.NoError(t, l.Close())
}

// Whoever reaches the store and changes, removes, adds or cuts off a record
// of the audit is noticed.
func TestTheAuditCanNotBeAlteredUnnoticed(t *testing.T) {
	rewrite := func(change func(*AuditRecord)) func(t *testing.T, l *Ledger, b *pebble.Batch) {
		return func(t *testing.T, l *Ledger, b *pebble.Batch) {
			r := auditOf(t, l)[2]
			change(&r)
			require.NoError(t, b.Set(auditKey(nil, 3), appendAudit(nil, &r), nil))
		}
	}
	for name, harm := range map[string]func(t *testing.T, l *Ledger, b *pebble.Batch){
		"another actor":      rewrite(func(r *AuditRecord) { r.Actor = "boris" }),
		"another time":       rewrite(func(r *AuditRecord) { r.Time++ }),
		"another row before": rewrite(func(r *AuditRecord) { r.Changes[0].Before = []byte("x") }),
		"another row after":  rewrite(func(r *AuditRecord) { r.Changes[0].After = []byte("x") }),
		"a row less":         rewrite(func(r *AuditRecord) { r.Changes = nil }),
		"another hash":       rewrite(func(r *AuditRecord) { r.Hash[3] ^= 1 }),
		"one is gone":        func(_ *testing.T, _ *Ledger, b *pebble.Batch) { require.NoError(t, b.Delete(auditKey(nil, 3), nil)) },
		"the first is gone":  func(_ *testing.T, _ *Ledger, b *pebble.Batch) { require.NoError(t, b.Delete(auditKey(nil, 1), nil)) },
		"the last is gone":   func(_ *testing.T, _ *Ledger, b *pebble.Batch) { require.NoError(t, b.Delete(auditKey(nil, 5), nil)) },
		"the head is gone": func(_ *testing.T, _ *Ledger, b *pebble.Batch) {
			require.NoError(t, b.Delete(metaKey(nil, auditHead), nil))
		},
		"bytes that are none": func(_ *testing.T, _ *Ledger, b *pebble.Batch) {
			require.NoError(t, b.Set(auditKey(nil, 2), []byte("H"), nil))
		},
		"two change places": func(t *testing.T, l *Ledger, b *pebble.Batch) {
			all := auditOf(t, l)
			require.NoError(t, b.Set(auditKey(nil, 3), appendAudit(nil, &all[3]), nil))
			require.NoError(t, b.Set(auditKey(nil, 4), appendAudit(nil, &all[2]), nil))
		},
		"one more, without the secret": func(t *testing.T, l *Ledger, b *pebble.Batch) {
			r := auditOf(t, l)[4]
			r.Number = 6
			require.NoError(t, b.Set(auditKey(nil, 6), appendAudit(nil, &r), nil))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := openQuiet(t)
			for _, city := range []string{"Almaty", "Astana", "Aktau", "Atyrau", "Oral"} {
				require.NoError(t, l.PutDirectory("anna", 's', "m", DirectoryRow{ID: "S01", Data: []byte(city)}))
			}
			findings := 0
			_, err := l.Verify(func(Finding) { findings++ })
			require.NoError(t, err)
			require.Zero(t, findings, "before")
			b := l.db.NewBatch()
			harm(t, l, b)
			require.NoError(t, b.Commit(pebble.Sync))
			_, err = l.Verify(func(Finding) { findings++ })
			require.NoError(t, err)
			require.Positive(t, findings)
		})
	}
}

package reconciler

import (
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/reconciler/project"
	"tillgate/reconciler/services/servicetest"
	"tillgate/reconciler/stream"
)

// A ledger that was restored from an older backup is not mixed with what
// PostgreSQL and Kafka know of the lost one: not at once, and not when it has
// grown as long as the lost one was.
func TestARestoredLedgerIsNotMixedWithTheLostOne(t *testing.T) {
	b := newFakeBroker(t)
	w := kafkaWorld(t, b)
	w.sell(50)
	w.run()
	w.settled()
	w.fs.MkdirAll("backup", 0o755)
	require.NoError(t, w.l.Checkpoint("backup/1"))
	w.sell(50)
	w.settled()
	w.stop()
	require.NoError(t, w.l.Close())

	fs := vfs.NewMem()
	_, err := vfs.Clone(w.fs, fs, "backup/1", "backup")
	require.NoError(t, err)
	require.NoError(t, ledger.Restore("backup", "data", fs))
	w.fs = fs
	w.open()
	w.run()
	refused := func() {
		t.Helper()
		require.Eventually(t, func() bool {
			return errors.Is(w.r.projector.Trouble(), project.ErrAhead) && errors.Is(w.publisherTrouble(), stream.ErrOtherTopic)
		}, patience, 10*time.Millisecond, "projection: %v, publisher: %v", w.r.projector.Trouble(), w.publisherTrouble())
	}
	refused()
	w.sell(200) // tills go on
	w.run()     // and so does the refusal, after every start
	refused()

	// The operator decides for the backup: new topics, a new database.
	w.o.Postgres = servicetest.Database(t)
	w.o.Kafka.Topic += ".restored"
	w.o.Kafka.ProfileTopic += ".restored"
	w.run()
	w.settled()
	w.profilesSettle()
}

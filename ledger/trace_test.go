package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// dump is the store's journal, accounts, sales and what is derived from them.
func dump(t testing.TB, l *Ledger, spaces string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, space := range []byte(spaces) {
		require.NoError(t, scan(l.db, []byte{space}, func(key, value []byte) (bool, error) {
			all[string(key)] = string(value)
			return true, nil
		}))
	}
	return all
}

// requireSame names the keys that differ instead of printing two stores.
func requireSame(t testing.TB, want, got map[string]string) {
	t.Helper()
	var differ []string
	for key, value := range want {
		if got[key] != value {
			differ = append(differ, fmt.Sprintf("%q", key))
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			differ = append(differ, fmt.Sprintf("%q is new", key))
		}
	}
	require.Empty(t, differ)
}

func TestOneTraceGivesTheSameBytesForEveryDrainAndShard(t *testing.T) {
	var first map[string]string
	for _, c := range []struct{ shards, drain int }{{1, 512}, {1, 1}, {2, 7}, {4, 64}} {
		clock := newHandClock()
		o := quiet(vfs.NewMem(), clock)
		o.Shards, o.Drain = c.shards, c.drain
		o.HotAccounts = 1 + c.drain // small ones must evict and read again
		// The store's secret is random: derived keys by hash differ from store
		// to store, and only what does not depend on it is compared.
		l := open(t, o)
		s := newShop(12, l.Partitions())
		for phase := range 8 {
			s.play(t, l, s.trace(uint64(phase), 250))
			clock.move(7 * time.Hour)
		}
		require.NoError(t, l.Sweep())
		proof := requireSound(t, l)
		require.Greater(t, proof.Windows, uint64(50))
		require.Greater(t, proof.Sales, uint64(100))
		got := dump(t, l, "jasdzqo")
		if first == nil {
			first = got
		}
		requireSame(t, first, got)
		require.NoError(t, l.Close())
	}
}

func TestAReopenedStoreGoesOnWhereItWas(t *testing.T) {
	clock := newHandClock()
	fs := vfs.NewMem()
	whole := open(t, quiet(vfs.NewMem(), clock))
	s := newShop(12, 4)
	for phase := range 4 {
		s.play(t, whole, s.trace(uint64(phase), 100))
	}
	s = newShop(12, 4)
	for phase := range 4 {
		l := open(t, quiet(fs, clock))
		s.play(t, l, s.trace(uint64(phase), 100))
		require.NoError(t, l.Close())
	}
	l := open(t, quiet(fs, clock))
	requireSound(t, l)
	requireSame(t, dump(t, whole, "jasdzqo"), dump(t, l, "jasdzqo"))
	require.NoError(t, l.Close())
	require.NoError(t, whole.Close())
}

func TestOpenRefusesWhatIsNotItsStore(t *testing.T) {
	clock := newHandClock()
	make := func() vfs.FS {
		fs := vfs.NewMem()
		require.NoError(t, open(t, quiet(fs, clock)).Close())
		return fs
	}
	for _, c := range []struct {
		name string
		harm func(fs vfs.FS, o *Options)
		says string
	}{
		{"another number of partitions", func(_ vfs.FS, o *Options) { o.Partitions = 8 }, "created with 4 partitions"},
		{"no key file", func(fs vfs.FS, _ *Options) { require.NoError(t, fs.Remove("data/ledger.key")) }, "has no ledger.key beside it"},
		{"another store's key file", func(fs vfs.FS, _ *Options) {
			s, err := newSecret()
			require.NoError(t, err)
			require.NoError(t, s.write(fs, "data", s.profiles.Load()))
		}, "belongs to another store"},
		{"a damaged key file", func(fs vfs.FS, _ *Options) {
			f, err := fs.Create("data/ledger.key", vfs.WriteCategoryUnspecified)
			require.NoError(t, err)
			_, err = f.Write([]byte("tillgate-ledger-key 1\nhash 00\n"))
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}, "key file is damaged"},
		{"a layout of the future", func(fs vfs.FS, o *Options) {
			db, err := pebble.Open("data/ledger", &pebble.Options{FS: fs, Logger: silent{}})
			require.NoError(t, err)
			require.NoError(t, db.Set(metaKey(nil, metaForm), append([]byte{tagMeta, 2}, make20()...), pebble.Sync))
			require.NoError(t, db.Close())
		}, "has version 2, which this program does not know"},
		{"somebody else's database", func(fs vfs.FS, o *Options) {
			db, err := pebble.Open("data/ledger", &pebble.Options{FS: fs, Logger: silent{}})
			require.NoError(t, err)
			require.NoError(t, db.Delete(metaKey(nil, metaForm), pebble.Sync))
			require.NoError(t, db.Set([]byte("hello"), nil, pebble.Sync))
			require.NoError(t, db.Close())
		}, "is not a ledger's store"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := make()
			o := quiet(fs, clock)
			c.harm(fs, &o)
			_, err := Open("data", o)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func make20() []byte { return make([]byte, 18) }

package ledger

import (
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

func TestACheckpointIsAStoreOfItsOwn(t *testing.T) {
	clock := newHandClock()
	fs := vfs.NewMem()
	l := open(t, quiet(fs, clock))
	s := newShop(8, 4)
	s.play(t, l, s.trace(1, 200))
	want := dump(t, l, "jasdrbizp")
	require.NoError(t, l.Checkpoint("backup/monday"))
	require.ErrorContains(t, l.Checkpoint("backup/monday"), "exists")
	s.play(t, l, s.trace(2, 50)) // it goes on meanwhile
	require.NoError(t, l.Close())

	require.ErrorContains(t, Restore("backup/tuesday", "restored", fs), "is not a checkpoint")
	require.ErrorContains(t, Restore("backup/monday", "data", fs), "holds a store already")
	require.NoError(t, Restore("backup/monday", "restored", fs))
	restored, err := Open("restored", quiet(fs, clock))
	require.NoError(t, err)
	requireSound(t, restored)
	requireSame(t, want, dump(t, restored, "jasdrbizp"))
	plain, err := restored.Profile(firstProfile(t, restored))
	require.NoError(t, err)
	require.Contains(t, string(plain), `{"n":`)
	require.NoError(t, restored.Close())
}

func firstProfile(t *testing.T, l *Ledger) AccountID {
	key, _ := first(t, l, spaceProfile, anyRecord)
	return AccountID(binary.BigEndian.Uint64(key[1:]))
}

func TestProfilesAreUnreadableOnDiskAndTurnOverToANewKey(t *testing.T) {
	dir := t.TempDir()
	o := quiet(vfs.Default, newHandClock())
	o.MinFreeDisk = -1
	l, err := Open(dir, o)
	require.NoError(t, err)
	const phone = "+77011234567"
	ids := []AccountID{3, 4, 5, 6, 7}
	for _, id := range ids {
		must(t, l, id.Partition(4), func(tx *Tx) error {
			if _, err := tx.Append(&Operation{Kind: KindEnrol, Account: id}); err != nil {
				return err
			}
			key := l.Hash("phone", phone)
			if err := tx.PutLink(key, Link{Account: id}); err != nil {
				return err
			}
			return tx.PutProfile(id, []byte(phone))
		})
	}
	require.NoError(t, l.db.Flush())
	old, err := l.SealedProfile(3)
	require.NoError(t, err)
	info, err := os.Stat(filepath.Join(dir, "ledger.key"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	done, err := l.RotateProfiles()
	require.NoError(t, err)
	require.Equal(t, len(ids), done)
	fresh, err := l.SealedProfile(3)
	require.NoError(t, err)
	require.NotEqual(t, old, fresh)
	plain, err := l.OpenProfile(3, old)
	require.NoError(t, err, "a copy under the old key can still be read")
	require.Equal(t, phone, string(plain))
	_, err = l.OpenProfile(4, fresh)
	require.ErrorIs(t, err, errProfile, "a profile can't be given to another account")

	require.NoError(t, l.ForgetProfileKeys())
	_, err = l.OpenProfile(3, old)
	require.ErrorContains(t, err, "key 1 is not in the key file")
	must(t, l, AccountID(3).Partition(4), func(tx *Tx) error { return tx.DeleteProfile(3) })
	require.NoError(t, l.Close())

	l, err = Open(dir, o)
	require.NoError(t, err)
	for _, id := range ids {
		plain, err := l.Profile(id)
		require.NoError(t, err)
		if id == 3 {
			require.Nil(t, plain, "erased")
		} else {
			require.Equal(t, phone, string(plain))
		}
	}
	require.NoError(t, l.Close())
	requireAbsent(t, dir, phone)
}

// requireAbsent looks for a text in every file of a directory.
func requireAbsent(t *testing.T, dir, text string) {
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		require.NoError(t, err)
		defer f.Close()
		all, err := io.ReadAll(f)
		require.NoError(t, err)
		require.NotContains(t, string(all), text, path)
		return nil
	}))
}

func TestHashesTellPartsApartAndStayTheSame(t *testing.T) {
	fs := vfs.NewMem()
	o := quiet(fs, newHandClock())
	l := open(t, o)
	a := l.Hash("d", "ab", "c")
	require.NotEqual(t, a, l.Hash("d", "a", "bc"))
	require.NotEqual(t, a, l.Hash("d", "abc"))
	require.NotEqual(t, a, l.Hash("da", "b", "c"))
	if !underRace {
		require.Zero(t, testing.AllocsPerRun(100, func() { l.Hash("phone", "+77011234567") }))
	}
	require.NoError(t, l.Close())
	l = open(t, o)
	require.Equal(t, a, l.Hash("d", "ab", "c"))
	require.NoError(t, l.Close())
	other := open(t, quiet(vfs.NewMem(), newHandClock()))
	require.NotEqual(t, a, other.Hash("d", "ab", "c"), "another store's secret is another")
	require.NoError(t, other.Close())
}

func TestTransfersThatAreDeliveredAgainAreKnown(t *testing.T) {
	l, _ := planted(t)
	defer func() { require.NoError(t, l.Close()) }()
	want, balances := dump(t, l, "jas"), requireSound(t, l)
	require.NotZero(t, l.Stats().Delivered)
	// As after a crash between the booking and its clearing at the source:
	// every transfer that was ever sent lies there again.
	var again int
	for p := range 4 {
		require.NoError(t, l.Journal(p, 1, func(id OpID, rec []byte) bool {
			var op Operation
			require.NoError(t, DecodeOperation(rec, &op))
			for i := range op.Transfers {
				require.NoError(t, l.db.Set(transferKey(nil, id, uint16(i)), appendTransfer(nil, &op.Transfers[i]), pebble.Sync))
				again++
			}
			return true
		}))
		l.parts[p].letters.Store(true)
	}
	require.Greater(t, again, 20)
	l.wakeCourier()
	settle(t, l)
	requireSame(t, want, dump(t, l, "jas"))
	require.Equal(t, balances, requireSound(t, l))
}

func TestProgrammesDirectoriesAndMeta(t *testing.T) {
	fs := vfs.NewMem()
	o := quiet(fs, newHandClock())
	l := open(t, o)
	require.NoError(t, l.PutProgram(Program{Merchant: "a", Version: 2, Doc: []byte("two")}))
	require.NoError(t, l.PutProgram(Program{Merchant: "a", Version: 1, Doc: []byte("one")}))
	require.NoError(t, l.PutProgram(Program{Merchant: "ab", Version: 1, Doc: []byte("other")}))
	require.NoError(t, l.PutProgram(Program{Merchant: "a", Version: 1, Doc: []byte("one")}), "again is no harm")
	require.ErrorContains(t, l.PutProgram(Program{Merchant: "a", Version: 1, Doc: []byte("changed")}), "is another one")
	require.NoError(t, l.PutDirectory("office", 1, "a", DirectoryRow{"S01", []byte("x")}, DirectoryRow{"S02", []byte("y")}))
	require.NoError(t, l.PutDirectory("office", 1, "a", DirectoryRow{"S01", []byte("z")}, DirectoryRow{ID: "S02"}))
	require.NoError(t, l.PutDirectory("office", 1, "ab", DirectoryRow{"S03", []byte("q")}))
	require.NoError(t, l.PutMeta("publisher", []byte("7")))
	require.NoError(t, l.NoteMeta("projector", []byte("8")))
	require.ErrorIs(t, l.PutMeta(metaForm, nil), errName)
	require.NoError(t, l.Close())

	l = open(t, o)
	defer func() { require.NoError(t, l.Close()) }()
	all, err := l.Programs("a")
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, "one", string(all[0].Doc))
	all, err = l.AllPrograms()
	require.NoError(t, err)
	require.Len(t, all, 3)
	rows := map[string]string{}
	require.NoError(t, l.Directory(1, "a", func(r DirectoryRow) bool { rows[r.ID] = string(r.Data); return true }))
	require.Equal(t, map[string]string{"S01": "z"}, rows)
	row, err := l.DirectoryRow(1, "a", "S02")
	require.NoError(t, err)
	require.Nil(t, row)
	value, err := l.Meta("publisher")
	require.NoError(t, err)
	require.Equal(t, "7", string(value))
	value, err = l.Meta("projector")
	require.NoError(t, err)
	require.Equal(t, "8", string(value))
}

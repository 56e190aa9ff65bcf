package ledger

import (
	"bytes"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// openQuiet opens a store in memory that the test's end closes.
func openQuiet(t *testing.T) *Ledger {
	t.Helper()
	l := open(t, quiet(vfs.NewMem(), newHandClock()))
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// ids lists the rows that a walk visits.
func ids(t *testing.T, walk func(fn func(DirectoryRow) bool) error) (all []string) {
	t.Helper()
	require.NoError(t, walk(func(r DirectoryRow) bool { all = append(all, r.ID); return true }))
	return all
}

func TestADirectoryIsReadByPages(t *testing.T) {
	l := openQuiet(t)
	row := func(id string) DirectoryRow { return DirectoryRow{ID: id, Data: []byte("x")} }
	require.NoError(t, l.PutDirectory("office", 'p', "a", row("1"), row("10"), row("2"), row("é")))
	require.NoError(t, l.PutDirectory("office", 'p', "ab", row("3")))
	require.NoError(t, l.PutDirectory("office", 's', "", row("4")))
	require.NoError(t, l.PutSealed("office", 'c', "cashiers only", row("5")))
	after := func(id string) []string {
		return ids(t, func(fn func(DirectoryRow) bool) error { return l.DirectoryAfter('p', "a", id, fn) })
	}
	require.Equal(t, []string{"1", "10", "2", "é"}, after(""))
	require.Equal(t, []string{"10", "2", "é"}, after("1"))
	require.Equal(t, []string{"2", "é"}, after("11"), "the row itself need not exist")
	require.Empty(t, after("é"))
	merchants, err := l.DirectoryMerchants()
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"a", "ab", "", "cashiers only"}, merchants)
}

// TestSealedRowsAreNotReadableOnDisk: they decrypt under their own key only,
// and a rotation leaves none under the key before.
func TestSealedRowsAreNotReadableOnDisk(t *testing.T) {
	l := openQuiet(t)
	secret := []byte("Dana 2200001")
	var rows []DirectoryRow
	for i := range 3 * rotateBatch {
		rows = append(rows, DirectoryRow{ID: string(rune('a' + i)), Data: secret})
	}
	require.NoError(t, l.PutSealed("office", 'c', "m", rows...))
	read := func() (n int) {
		require.NoError(t, l.SealedAfter('c', "m", "", func(r DirectoryRow) bool {
			require.Equal(t, secret, r.Data)
			n++
			return true
		}))
		return n
	}
	require.Equal(t, len(rows), read())
	stored := func() (recs [][]byte) {
		require.NoError(t, scan(l.db, []byte{spaceSealed}, func(_, rec []byte) (bool, error) {
			require.False(t, bytes.Contains(rec, []byte("Dana")))
			recs = append(recs, bytes.Clone(rec))
			return true, nil
		}))
		return recs
	}
	before := stored()
	done, err := l.RotateProfiles()
	require.NoError(t, err)
	require.Equal(t, len(rows), done)
	require.Equal(t, len(rows), read())
	require.NotEqual(t, before[0][2:6], stored()[0][2:6], "the id of the key")
	require.NoError(t, l.ForgetProfileKeys())
	require.Equal(t, len(rows), read())

	// A row under another's key, or under a key that is forgotten, is told.
	require.NoError(t, l.putAll(func(b *pebble.Batch) error {
		return b.Set(append(sealedPrefix(nil, 'c', "m"), "thief"...), stored()[0], nil)
	}))
	require.ErrorIs(t, l.SealedAfter('c', "m", "", func(DirectoryRow) bool { return true }), errSealed)
	require.NoError(t, l.PutSealed("office", 'c', "m", DirectoryRow{ID: "thief"}))
	data, err := l.SealedRow('c', "m", "thief")
	require.NoError(t, err)
	require.Nil(t, data)
	require.NoError(t, l.putAll(func(b *pebble.Batch) error {
		return b.Set(append(sealedPrefix(nil, 'c', "m"), rows[0].ID...), before[0], nil)
	}))
	require.Error(t, l.ForgetProfileKeys())
	_, err = l.SealedRow('c', "m", rows[0].ID)
	require.ErrorIs(t, err, errSealed)
}

func FuzzOpenRow(f *testing.F) {
	s, err := newSecret()
	require.NoError(f, err)
	key := []byte("eckey")
	good, err := s.sealRow(key, []byte("row"))
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte("Y\x01"))
	f.Fuzz(func(t *testing.T, rec []byte) {
		plain, err := s.openRow(key, rec)
		if err == nil && (string(plain) != "row" || !bytes.Equal(rec, good)) {
			t.Fatalf("%x opens", rec)
		}
	})
}

func TestACardMayBeNobodys(t *testing.T) {
	l := openQuiet(t)
	key := l.Hash("id", "card")
	require.ErrorIs(t, l.PutLinks(LinkRow{Key: key, Link: Link{Kind: 3, State: CardActive}}), errLink)
	require.ErrorIs(t, l.PutLinks(LinkRow{Key: key, Link: Link{Kind: 1}}), errLink)
	require.NoError(t, l.PutLinks(LinkRow{Key: key, Link: Link{Kind: 3, State: CardNew, Last4: "0001"}}))
	link, err := l.Link(key)
	require.NoError(t, err)
	require.Equal(t, Link{Kind: 3, State: CardNew, Last4: "0001"}, *link)
	_, err = l.Verify(func(f Finding) { t.Errorf("%+v", f) })
	require.NoError(t, err)
}

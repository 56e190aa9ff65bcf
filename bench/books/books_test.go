package books

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// shop is a ledger of three members, each of whom began with 100 points.
type shop struct {
	records  []entry
	accounts [][2]int64
	err      error
}

func (s *shop) Journal(record func(ID, Kind)) error {
	for _, e := range s.records {
		record(ID(e>>4), Kind(e&15))
	}
	return s.err
}

func (s *shop) Accounts(account func(int, int64, int64)) error {
	for i, a := range s.accounts {
		account(i, a[0], a[1])
	}
	return nil
}

// day is a book and the ledger that it tells of: member 0 has a hold of 30,
// member 1 has released one and earned 5, member 2 has done nothing.
func day() (*Book, *shop) {
	b := New(3, 100)
	p, q := b.Page(), b.Page()
	p.Entry(7, Authorize, 0, -30, 30)
	q.Entry(8, Authorize, 1, -10, 10)
	q.Entry(8, Release, 1, 10, -10)
	p.Entry(9, Accrue, 1, 5, 0)
	return b, &shop{
		records:  []entry{entryOf(9, Accrue), entryOf(8, Release), entryOf(7, Authorize), entryOf(8, Authorize)},
		accounts: [][2]int64{{70, 30}, {105, 0}, {100, 0}},
	}
}

func TestBooksThatAgree(t *testing.T) {
	b, s := day()
	p, err := b.Prove(s, 0)
	require.NoError(t, err)
	require.Equal(t, &Proof{Entries: 4, Members: 3}, p)
}

func TestWhatIsFound(t *testing.T) {
	for says, change := range map[string]func(b *Book, s *shop){
		"accrue of 000000000009 was acknowledged and is in the ledger 0 times":   func(_ *Book, s *shop) { s.records = s.records[1:] },
		"release of 000000000008 was acknowledged and is in the ledger 2 times":  func(_ *Book, s *shop) { s.records = append(s.records, s.records[1]) },
		"1 operations are in the ledger that nobody was answered":                func(_ *Book, s *shop) { s.records = append(s.records, entryOf(1, Return)) },
		"authorize of 000000000007 was acknowledged twice":                       func(b *Book, _ *shop) { b.Page().Entry(7, Authorize, 0, 0, 0) },
		"member 1: the ledger has 104 available and 0 held, the bench 105 and 0": func(_ *Book, s *shop) { s.accounts[1][0]-- },
		"member 0: the ledger has 70 available and 0 held, the bench 70 and 30":  func(_ *Book, s *shop) { s.accounts[0][1] = 0 },
		"the ledger has 2 of 3 members":                                          func(_ *Book, s *shop) { s.accounts = s.accounts[:2] },
		"no member of the bench":                                                 func(_ *Book, s *shop) { s.accounts = append(s.accounts, [2]int64{}) },
	} {
		b, s := day()
		change(b, s)
		p, err := b.Prove(s, 0)
		require.NoError(t, err)
		require.Len(t, p.Findings, 1)
		require.Contains(t, p.Findings[0], says)
	}
}

// A request without an answer may or may not be booked; one with an answer
// must be.
func TestOpenRequestsMayBeBooked(t *testing.T) {
	b, s := day()
	s.records = append(s.records, entryOf(10, Authorize))
	s.accounts[2] = [2]int64{90, 10}
	p, err := b.Prove(s, 1)
	require.NoError(t, err)
	require.Empty(t, p.Findings)
	require.Equal(t, 1, p.Beyond)
	s.records = s.records[1:]
	p, err = b.Prove(s, 1)
	require.NoError(t, err)
	require.NotEmpty(t, p.Findings)
}

func TestOnlyTheFirstFindingsAreTold(t *testing.T) {
	b := New(0, 0)
	page := b.Page()
	for i := range 25 {
		page.Entry(ID(i+1), Accrue, 0, 0, 0)
	}
	p, err := b.Prove(&shop{}, 0)
	require.NoError(t, err)
	require.Len(t, p.Findings, mostFindings)
	require.Equal(t, 15, p.More)
	_, err = b.Prove(&shop{err: errors.New("torn")}, 0)
	require.ErrorContains(t, err, "torn")
}

func TestIDs(t *testing.T) {
	id, ok := ParseID([]byte("1Z00000000AB"))
	require.True(t, ok)
	require.Equal(t, ID(1)<<55|ID(31)<<50|ID(10)<<5|11, id)
	var text [IDLength]byte
	id.Text(text[:])
	require.Equal(t, "1Z00000000AB", string(text[:]))
	for _, bad := range []string{"", "1Z00000000A", "1Z00000000AU", "1z00000000AB"} {
		_, ok := ParseID([]byte(bad))
		require.False(t, ok, bad)
	}
}

package day

import (
	"bufio"
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/bench/books"
	"tillgate/bench/load"
	"tillgate/protocol/iso8583"
)

// host answers a till's messages: what it is asked for the first time with a
// new id, what it knows with the same bytes.
type host struct {
	t      *testing.T
	codec  *iso8583.Codec
	known  map[string][]byte
	kinds  map[string]int
	again  int
	ids    int
	refuse func(m *iso8583.Message) string // DE39 of a refusal, "" for none
}

func newHost(t *testing.T) *host {
	return &host{t: t, codec: iso8583.NewCodec(iso8583.Profile{}), known: map[string][]byte{}, kinds: map[string]int{}}
}

func (h *host) answer(frame []byte) []byte {
	if known := h.known[string(frame)]; known != nil {
		h.again++
		return known
	}
	m := iso8583.NewMessage(h.codec)
	require.True(h.t, h.codec.Decode(frame[2:], m).OK())
	kind := m.MTI() + m.Text(3)
	if m.Has(90) {
		kind += "late"
	}
	h.kinds[kind]++
	a := iso8583.NewMessage(h.codec)
	require.NoError(h.t, a.SetMTI("0"+string(m.MTI()[1])+"10"))
	code := "00"
	if h.refuse != nil {
		if no := h.refuse(m); no != "" {
			code = no
		}
	}
	id := m.Text(37)
	if id == "" {
		h.ids++
		id = fmt.Sprintf("%012d", h.ids)
	}
	for field, value := range map[int]string{11: m.Text(11), 37: id, 39: code} {
		require.NoError(h.t, a.Set(field, value))
	}
	out, err := iso8583.Framing{}.AppendFrame(nil, iso8583.TPDU{}, h.codec.AppendMessage(nil, a))
	require.NoError(h.t, err)
	if code == "00" {
		h.known[string(frame)] = out
	}
	return out
}

// play lets a till and a host exchange messages, some in flight at a time.
func play(t *testing.T, d *Day, h *host, messages int) (*books.Book, *Till, error) {
	book := books.New(10, 0)
	shop := &Shop{Day: d, Members: 10, Card: func(m int) uint64 { return 7701_0000_0000_0000 + uint64(m) }, Book: book, Seed: 9}
	till, err := shop.NewTill("A0010001", 1, true)
	require.NoError(t, err)
	const inFlight = 4
	var waiting [][]byte
	seen := map[uint64]bool{}
	for n := range uint64(messages) {
		waiting = append(waiting, till.Append(nil, n))
		if len(waiting) < inFlight {
			continue
		}
		answered, _, err := till.Read(bufio.NewReader(bytes.NewReader(h.answer(waiting[0]))))
		if err != nil {
			return book, till, err
		}
		require.False(t, seen[answered], "request %d is answered twice", answered)
		seen[answered] = true
		waiting = waiting[1:]
	}
	require.Len(t, seen, messages-inFlight+1)
	return book, till, nil
}

func TestTillPlaysTheDay(t *testing.T) {
	d, err := Parse(Weekday)
	require.NoError(t, err)
	h := newHost(t)
	const messages = 20_000
	book, till, err := play(t, d, h, messages)
	require.NoError(t, err)
	require.Empty(t, till.Refused())
	require.InDelta(t, messages/100, h.again, messages/400, "one in a hundred is sent twice")
	for kind, share := range map[string]int{
		"0100300000": 13, "0100000000": 33, "0220000000": 30, "0400000000": 2, "0400000000late": 1, "0200000000": 19, "0200200000": 2,
	} {
		require.InDelta(t, share*messages/100, h.kinds[kind], messages/100, kind)
	}
	booked := messages - h.kinds["0100300000"] - h.again
	require.InDelta(t, booked, book.Entries(), 8, "all but balances and repeats are in the books")
	open := till.Open()
	require.NotEmpty(t, open)
	require.Less(t, len(open), 60, "what late reversals wait for, and what is about to be confirmed")
	require.Empty(t, till.Open())
}

// A late reversal names its message by number and time of sending, also when
// the till has begun its numbers anew.
func TestLateReversalNamesItsMessage(t *testing.T) {
	shop := &Shop{Day: Pairs(Members{}), Members: 1, Card: func(int) uint64 { return 7701_0000_0000_0000 }, Book: books.New(1, 0)}
	say, err := newPhrases(shop, "A0010001", true)
	require.NoError(t, err)
	c := iso8583.NewCodec(iso8583.Profile{})
	hold, undo := iso8583.NewMessage(c), iso8583.NewMessage(c)
	for _, first := range []uint64{0, 123_456, load.STANs + 123_456} {
		require.True(t, c.Decode(say.append(nil, first, &asked{kind: authorize}), hold).OK())
		require.True(t, c.Decode(say.append(nil, first+40, &asked{kind: reverse, first: first}), undo).OK())
		require.Equal(t, hold.MTI()+hold.Text(11)+hold.Text(7), undo.Text(90)[:20])
		require.NotEqual(t, hold.Text(11), undo.Text(11))
	}
}

// A request that was shed is asked again later; nothing of it is booked.
func TestWhatIsShedIsTriedAgain(t *testing.T) {
	d, err := Parse(Weekday)
	require.NoError(t, err)
	h := newHost(t)
	shed := 0
	h.refuse = func(m *iso8583.Message) string {
		if m.MTI() == "0220" && shed < 50 {
			shed++
			return "91"
		}
		return ""
	}
	book, _, err := play(t, d, h, 5000)
	require.NoError(t, err)
	require.Equal(t, 50, shed)
	require.InDelta(t, 0.3*5000, h.kinds["0220000000"], 100)
	require.Positive(t, book.Entries())
}

func TestFirstRefusalIsTold(t *testing.T) {
	h := newHost(t)
	h.refuse = func(*iso8583.Message) string { return "51" }
	book, till, err := play(t, Pairs(Members{}), h, 100)
	require.NoError(t, err)
	require.Contains(t, till.Refused(), "authorize: ")
	require.Zero(t, book.Entries())
}

// A repeat that brings other bytes ends the run.
func TestRepeatsMustBringTheSameBytes(t *testing.T) {
	d := Pairs(Members{})
	d.Repeats = 50
	h := newHost(t)
	h.refuse = func(*iso8583.Message) string {
		clear(h.known)
		return ""
	}
	_, _, err := play(t, d, h, 1000)
	require.ErrorContains(t, err, "another answer")
}

// What a till says over HTTP is complete and in the order of its requests.
func TestTillSpeaksHTTP(t *testing.T) {
	d, err := Parse(Weekday)
	require.NoError(t, err)
	shop := &Shop{Day: d, Members: 5, Card: func(m int) uint64 { return uint64(m) }, Book: books.New(5, 0)}
	till, err := shop.NewTill("A0010001", 1, false)
	require.NoError(t, err)
	paths := map[string]int{}
	for n := range uint64(2000) {
		said := string(till.Append(nil, n))
		path := said[len("POST ") : bytes.IndexByte([]byte(said[5:]), ' ')+5]
		if len(path) > 30 {
			path = path[:18] + path[31:]
		}
		paths[path]++
		_, o, err := till.Read(bufio.NewReader(bytes.NewReader(httpAnswer(n))))
		if o == load.Approved && err != nil {
			require.ErrorContains(t, err, "another answer") // this host knows no repeats
		}
	}
	for _, path := range []string{"/v1/quote", "/v1/authorizations", "/v1/authorizations/confirm", "/v1/authorizations/void", "/v1/reversals", "/v1/accruals", "/v1/returns"} {
		require.Positive(t, paths[path], "%s of %v", path, paths)
	}
}

func httpAnswer(n uint64) []byte {
	body := fmt.Sprintf(`{"id":"%012d","status":"pending"}`, n)
	return fmt.Appendf(nil, "HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

package iso8583

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// answerTo renders x's answer and reads it back, once with our codec and once
// with moov, which must agree.
func answerTo(t *testing.T, x *protocol.Exchange, k *Key) *Message {
	t.Helper()
	return answerIn(t, Profile{}, x, k)
}

func answerIn(t *testing.T, p Profile, x *protocol.Exchange, k *Key) *Message {
	t.Helper()
	c := NewCodec(p)
	frame := c.AppendAnswer(nil, NewMessage(c), &x.Request, &x.Response, k)
	require.LessOrEqual(t, len(frame), MaxFrame)
	compare(t, c, p.MessageSpec(), frame)
	m := NewMessage(c)
	require.Equal(t, Fault{}, c.Decode(frame, m))
	return m
}

// approve fills a response as the switch does for a sale.
func approve(x *protocol.Exchange) {
	lot := func(y int, m time.Month, d int) int64 { return time.Date(y, m, d, 0, 0, 0, 0, almaty).UnixNano() }
	x.Response = protocol.Response{
		Call: x.Request.Call, Code: protocol.Approved, ID: "0A0000000017", RRN: "0A0000000017", Approval: "A1B2C3",
		Member: protocol.MemberView{Tier: "Base"}, HasMember: true,
		Total: 130000, Redeemed: 65000, Payable: 65000, Earned: 6500,
		EarnedLots: []protocol.LotView{{Points: 6500, Active: lot(2026, 12, 4), Expires: lot(2027, 3, 5)}},
		Lines: []protocol.LineResult{
			{ID: "1", Amount: 70000, Redeemed: 35000, Payable: 35000, Earned: 3500},
			{ID: "2", Amount: 60000, Redeemed: 30000, Payable: 30000, Earned: 3000},
		},
		Balance: protocol.Balance{Available: 35000, Held: 65000, Pending: 200}, HasBalance: true,
		At: protocol.Time{Offset: 5 * 3600, Set: true}, Slip: []string{"Спасибо!", "Баллы: 350.00"},
	}
}

func TestAuthorizeAnswer(t *testing.T) {
	x, _ := read(t, Profile{}, sampleNamed(t, "0100 authorize").build)
	approve(x)
	m := answerTo(t, x, nil)
	require.Equal(t, "0110", m.MTI())
	for field, want := range map[int]string{
		3: "000000", 4: "000000130000", 11: "000017", 12: "123105", 13: "1120", 32: "9001", 37: "0A0000000017",
		38: "A1B2C3", 39: "00", 41: "T0001", 42: "S01", 48: "050120A0000000017", 49: "398",
		54: "0001398C000000100000" + "0002398C000000035000" + "0091398C000000065000" + "0092398C000000000200",
		60: "45/7",
		61: "010046500" + "0200565000" + "0300565000" + "040010" + "05004Base" +
			"0602020261204T000000+0500" + "0702020270305T000000+0500" + "080291:0:35000:3500;2:0:30000:3000",
		63: "Спасибо!\nБаллы: 350.00",
	} {
		require.Equal(t, want, m.Text(field), "field %d", field)
	}
	require.Equal(t, []int{3, 4, 11, 12, 13, 32, 37, 38, 39, 41, 42, 48, 49, 54, 60, 61, 63}, m.Fields(), "no DE7")

	reply, fault := m.Reply()
	require.Equal(t, Fault{}, fault)
	require.Equal(t, "0A0000000017", reply.Hold)
	require.Equal(t, protocol.Balance{Available: 35000, Held: 65000, Pending: 200}, reply.Balance)
	require.Equal(t, Results{
		Earned: 6500, Redeemed: 65000, Payable: 65000, Tier: "Base", Active: "20261204T000000+0500", Expires: "20270305T000000+0500",
		Lines: []protocol.LineResult{{ID: "1", Redeemed: 35000, Earned: 3500}, {ID: "2", Redeemed: 30000, Earned: 3000}},
	}, reply.Results)
	require.Equal(t, []string{"Спасибо!", "Баллы: 350.00"}, reply.Slip)
}

// TestRepeatGetsTheSameBytes: a repeat has another repeat digit and another
// DE7, and its answer is the first answer's twin.
func TestRepeatGetsTheSameBytes(t *testing.T) {
	c := NewCodec(Profile{})
	render := func(mti, de7 string) []byte {
		x, fault := read(t, Profile{}, func(t testing.TB, m *Message) {
			sampleNamed(t, "0220 confirm").build(t, m)
			require.NoError(t, m.SetMTI(mti))
			require.NoError(t, m.Set(7, de7))
		})
		require.Equal(t, Fault{}, fault)
		approve(x)
		return c.AppendAnswer(nil, NewMessage(c), &x.Request, &x.Response, nil)
	}
	require.Equal(t, render("0220", "1120073105"), render("0221", "1120073999"[:8]+"59"))
}

func TestAnswerTypes(t *testing.T) {
	for mti, want := range map[string]string{
		"0100": "0110", "0101": "0110", "0200": "0210", "0201": "0210", "0220": "0230", "0221": "0230",
		"0400": "0410", "0401": "0410", "0420": "0430", "0421": "0430", "0500": "0510", "0521": "0530",
		"0800": "0810", "0801": "0810", "0302": "0310", "0600": "0610",
		"0110": "0610", "0610": "0610", "": "0610", // no requests
	} {
		var got [4]byte
		answerMTI(&got, mti)
		require.Equal(t, want, string(got[:]), mti)
	}
}

func TestDeclines(t *testing.T) {
	x, _ := read(t, Profile{}, sampleNamed(t, "0100 authorize").build)
	for _, c := range []struct {
		name  string
		r     protocol.Response
		de39  string
		help  string
		more  map[int]string
		never []int
	}{
		{"too many points", protocol.Response{Code: protocol.InsufficientPoints, MaxPoints: 4200, HasMaxPoints: true, Detail: "Only 42.00 points are there"},
			"51", "insufficient_points", map[int]string{61: "090044200", 63: "Only 42.00 points are there"}, []int{38, 48, 54}},
		{"a field of JSON's", protocol.Response{Code: protocol.InvalidRequest, Field: "basket.lines[3].id"}, "30", "62", nil, []int{63}},
		{"a field of ours", protocol.Response{Code: protocol.InvalidRequest, Field: "90"}, "30", "90", nil, nil},
		{"no field at all", protocol.Response{Code: protocol.InvalidRequest}, "30", "invalid_request", nil, nil},
		{"overload", protocol.Response{Code: protocol.Overloaded}, "91", "overloaded", nil, nil},
		{"a decline that knows the operation", protocol.Response{Code: protocol.AlreadyVoided, RRN: "0A0000000017"}, "12", "already_voided", map[int]string{37: "0A0000000017"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			x.Response = c.r
			m := answerTo(t, x, nil)
			require.Equal(t, c.de39, m.Text(39))
			require.Equal(t, c.help, m.Text(44))
			for field, want := range c.more {
				require.Equal(t, want, m.Text(field), "field %d", field)
			}
			for _, field := range c.never {
				require.False(t, m.Has(field), "field %d", field)
			}
		})
	}
}

// TestEveryCodeFitsDE44: the names of the decline table are at most 25 bytes.
func TestEveryCodeFitsDE44(t *testing.T) {
	x, _ := read(t, Profile{}, sampleNamed(t, "0100 authorize").build)
	for code := protocol.InvalidRequest; code <= protocol.PreconditionFailed; code++ {
		x.Response = protocol.Response{Code: code}
		m := answerTo(t, x, nil)
		require.Equal(t, code.ISO(), m.Text(39))
		require.Equal(t, code.String(), m.Text(44))
	}
}

// TestJSONFieldsHaveANumber: a check that both edges share names JSON's field.
func TestJSONFieldsHaveANumber(t *testing.T) {
	for name, want := range map[string]string{
		"terminal": "41", "basket.total": "4", "basket": "4", "basket.lines": "62", "basket.lines[12].quantity": "62",
		"member": "48", "member.phone": "48", "redeem.points": "48", "promo_codes[1]": "48", "payments[0].tender": "48",
		"receipt.number": "48", "receipt.shift": "60", "shift": "60", "totals.net": "97", "totals.sales.count": "74",
		"totals.sales.total": "86", "amount": "4", "lines[0].id": "62", "redeemed": "61", "authorization": "37", "at": "12",
		"no_such": "", "": "",
	} {
		require.Equal(t, want, fieldNumber(name), name)
	}
}

func TestDeficitIsADebit(t *testing.T) {
	x, _ := read(t, Profile{}, func(t testing.TB, m *Message) {
		sampleNamed(t, "0100 balance").build(t, m)
		m.Unset(49)
	})
	x.Response = protocol.Response{Code: protocol.Approved, Balance: protocol.Balance{Held: 100, Deficit: 2500}, HasBalance: true}
	m := answerTo(t, x, nil)
	require.Equal(t, "0001999D000000002400"+"0002999D000000002500"+"0091999C000000000100"+"0092999C000000000000", m.Text(54))
	reply, _ := m.Reply()
	require.Equal(t, int64(2500), reply.Balance.Deficit)
}

func TestShiftThatDiffers(t *testing.T) {
	x, _ := read(t, profiles["all"], sampleNamed(t, "0500 shift totals").build)
	x.Response = protocol.Response{Code: protocol.TotalsDiffer, Totals: protocol.ShiftTotals{SalesCount: 11, Sales: 1_500_000, Net: -1}}
	m := answerIn(t, profiles["all"], x, nil)
	require.Equal(t, "0510", m.MTI())
	require.Equal(t, "95", m.Text(39))
	require.Equal(t, "398", m.Text(50))
	require.Equal(t, "45", m.Text(60))
	reply, fault := m.Reply()
	require.Equal(t, Fault{}, fault)
	require.Equal(t, x.Response.Totals, reply.Totals)

	x.Response = protocol.Response{Code: protocol.Approved, Matched: true}
	m = answerIn(t, profiles["all"], x, nil)
	require.Equal(t, []int{11, 39, 41, 42, 50, 60}, m.Fields())
}

func TestParkedAdviceHasNoFigures(t *testing.T) {
	x, _ := read(t, Profile{}, sampleNamed(t, "0220 confirm").build)
	x.Response = protocol.Response{Call: protocol.CallConfirm, Code: protocol.Approved, Accepted: true, Status: "parked"}
	m := answerTo(t, x, nil)
	require.Equal(t, "00", m.Text(39))
	require.Equal(t, "0A0000000017", m.Text(37), "as it was sent")
	require.False(t, m.Has(61))
}

// TestLineResults: all lines or none, in DE61 as far as they go and then in
// DE62.
func TestLineResults(t *testing.T) {
	lines := func(n int, id string) (list []protocol.LineResult) {
		for i := range n {
			list = append(list, protocol.LineResult{ID: id + strconv.Itoa(i), Discount: int64(i), Redeemed: 7, Earned: 9})
		}
		return list
	}
	for _, c := range []struct {
		name    string
		profile Profile
		lines   []protocol.LineResult
		long    bool // goes on in DE62
		none    bool
	}{
		{"two", Profile{}, lines(2, ""), false, false},
		{"eighty", Profile{}, lines(80, ""), false, false},
		{"a hundred and twenty", Profile{}, lines(120, ""), true, false},
		{"more than both fields take", Profile{}, lines(300, ""), false, true},
		{"three hundred in a long basket", Profile{LongBasket: true}, lines(300, ""), true, false},
		{"more than a frame takes", Profile{LongBasket: true}, lines(500, "line-number-"), false, true},
		{"an id with a colon", Profile{}, lines(2, "a:"), false, true},
		{"an id with a colon that would be in DE62", Profile{LongBasket: true}, append(lines(120, ""), lines(1, ";")...), false, true},
		{"no lines", Profile{}, nil, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, _ := read(t, c.profile, sampleNamed(t, "0100 authorize").build)
			approve(x)
			x.Response.Lines = c.lines
			m := answerIn(t, c.profile, x, nil)
			require.Equal(t, c.long, m.Has(62))
			reply, fault := m.Reply()
			require.Equal(t, Fault{}, fault)
			if c.none {
				require.Empty(t, reply.Results.Lines)
				require.Equal(t, int64(65000), reply.Results.Payable, "the sums stand")
				return
			}
			require.Equal(t, c.lines, reply.Results.Lines)
		})
	}
}

// TestAnswerAlwaysGoesOut: whatever a response holds, there is an answer that
// reads back, within the frame's limit.
func TestAnswerAlwaysGoesOut(t *testing.T) {
	long := strings.Repeat("ж", 5000)
	for name, profile := range profiles {
		t.Run(name, func(t *testing.T) {
			x, _ := read(t, profile, sampleNamed(t, "0100 authorize").build)
			approve(x)
			x.Response.RRN, x.Response.Approval = "much longer than twelve", "longer than six"
			x.Response.Member.Tier = "Gold|VIP;1:2"
			x.Response.Slip = []string{"short", long, "never reached"}
			x.Response.Earned, x.Response.Redeemed = -5, 1<<63-1
			x.Response.Balance = protocol.Balance{Available: 1<<63 - 1, Pending: -1 << 62}
			x.Response.EarnedLots[0] = protocol.LotView{Active: 1<<63 - 1, Expires: -1 << 63}
			m := answerIn(t, profile, x, nil)
			require.Equal(t, "00", m.Text(39))
			require.False(t, m.Has(37))
			require.False(t, m.Has(38))
			require.Equal(t, "short", m.Text(63))
			require.Contains(t, m.Text(61), "05012Gold VIP 1 2")

			x.Response.Code, x.Response.Detail = protocol.Internal, "\xff\xfe"
			m = answerIn(t, profile, x, nil)
			require.Equal(t, "96", m.Text(39))
			require.False(t, m.Has(63))
		})
	}
}

// TestLongestAnswerFitsAFrame: every field that an answer may have, as long as
// it can be.
func TestLongestAnswerFitsAFrame(t *testing.T) {
	first, _, _, _ := testKeys(t)
	x, _ := read(t, Profile{LongBasket: true}, func(t testing.TB, m *Message) {
		sampleNamed(t, "0100 authorize").build(t, m)
		require.NoError(t, m.Set(60, strings.Repeat("4", 32)))
	})
	approve(x)
	x.Request.ISO.DE60 = strings.Repeat("4", 999)
	x.Response.Member.Tier = strings.Repeat("T", 64)
	x.Response.Slip = []string{strings.Repeat("s", 998)}
	x.Response.Lines = nil
	for i := range 178 {
		x.Response.Lines = append(x.Response.Lines, protocol.LineResult{ID: "line-" + strconv.Itoa(i), Discount: 1e6, Redeemed: 1e6})
	}
	m := answerIn(t, Profile{LongBasket: true}, x, first)
	require.Greater(t, len(m.Get(62)), MaxFrame-answerRoom-300)
	reply, fault := m.Reply()
	require.Equal(t, Fault{}, fault)
	require.Equal(t, x.Response.Lines, reply.Results.Lines)
}

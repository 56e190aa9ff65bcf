package iso8583

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// almaty is where the sample till stands.
var almaty = time.FixedZone("Asia/Almaty", 5*3600)

// inbound is a server whose clock shows the afternoon of the samples.
var inbound = Inbound{
	Now:  time.Date(2026, 11, 20, 7, 31, 6, 0, time.UTC),
	Zone: func(terminal, store string) *time.Location { return almaty },
}

// read takes a message through bytes to a request.
func read(t testing.TB, p Profile, build func(t testing.TB, m *Message)) (*protocol.Exchange, Fault) {
	c := NewCodec(p)
	m := NewMessage(c)
	build(t, m)
	frame := c.AppendMessage(nil, m)
	x := new(protocol.Exchange)
	fault := c.Read(frame, NewMessage(c), inbound, x)
	clear(frame) // the request owns what it holds
	return x, fault
}

func sampleNamed(t testing.TB, name string) sample {
	for _, s := range samples {
		if s.name == name {
			return s
		}
	}
	require.FailNow(t, "no sample "+name)
	return sample{}
}

func TestSampleCalls(t *testing.T) {
	calls := map[string]protocol.Call{
		"0100 balance": protocol.CallBalance, "0100 authorize": protocol.CallAuthorize,
		"0200 accrue": protocol.CallAccrue, "0201 redeem repeated": protocol.CallRedeem, "0200 return": protocol.CallReturn,
		"0220 confirm": protocol.CallConfirm, "0221 offline accrual": protocol.CallAccrue,
		"0400 reversal": protocol.CallReverse, "0401 reversal repeated": protocol.CallReverse,
		"0420 reversal advice": protocol.CallReverse, "0421 reversal advice repeated": protocol.CallReverse,
		"0500 shift totals": protocol.CallCloseShift, "0501 shift totals repeated": protocol.CallCloseShift,
		"0520 shift totals advice": protocol.CallCloseShift, "0521 shift totals advice repeated": protocol.CallCloseShift,
		"0800 sign-on": protocol.CallEcho, "0800 sign-off": protocol.CallEcho, "0801 echo": protocol.CallEcho, "0800 cut-over": protocol.CallEcho,
		"0100 signed": protocol.CallBalance, "0500 signed": protocol.CallCloseShift,
	}
	for name, profile := range profiles {
		for _, s := range samples {
			want, ok := calls[s.name]
			if !ok {
				continue // an answer
			}
			t.Run(name+"/"+s.name, func(t *testing.T) {
				x, fault := read(t, profile, s.build)
				require.Equal(t, Fault{}, fault)
				require.Equal(t, want, x.Request.Call)
				require.Equal(t, protocol.EdgeISO, x.Request.Edge)
				require.Equal(t, "T0001", x.Request.Terminal)
				code, field, detail := protocol.Validate(&x.Request)
				require.Equal(t, protocol.Approved, code, "%s: %s", field, detail)
			})
		}
	}
}

func TestAuthorizeRequest(t *testing.T) {
	x, fault := read(t, Profile{}, sampleNamed(t, "0100 authorize").build)
	require.Equal(t, Fault{}, fault)
	r := x.Request
	require.Equal(t, protocol.Identifier{Kind: protocol.ByCode, Value: "123456"}, r.Member)
	require.Equal(t, protocol.Redeem{Mode: protocol.RedeemPoints, Points: 65000, Partial: true}, r.Redeem)
	require.Equal(t, int64(130000), r.Total)
	require.True(t, r.HasBasket)
	require.Equal(t, []protocol.Line{
		{ID: "1", SKU: "4601", Category: "coffee", Quantity: 1000, Price: 70000, Amount: 70000},
		{ID: "2", SKU: "4602", Category: "pastry", Brand: "Бим", Quantity: 2345, Price: 30000, Amount: 60000},
	}, r.Lines)
	require.Equal(t, []string{"SUMMER", "ЛЕТО"}, r.PromoCodes)
	require.Equal(t, []protocol.Payment{{Tender: "card", Amount: 130000}}, r.Payments)
	require.Equal(t, protocol.Receipt{Number: "000123", Shift: "45"}, r.Receipt)
	require.Equal(t, "C7", r.Cashier)
	require.Equal(t, "S01", r.Store)
	require.Equal(t, "2026-11-20T12:31:05+05:00", time.Unix(0, r.At.Unix).In(almaty).Format(time.RFC3339))
	require.Equal(t, int32(5*3600), r.At.Offset)
	require.Equal(t, protocol.ISO{
		MTI: "0100", Processing: "000000", DE7: "1120073105", STAN: "000017", LocalTime: "123105", LocalDate: "1120",
		Currency: "398", DE4: "000000130000", DE32: "9001", DE60: "45/7", Shift: "45",
	}, r.ISO)
}

func TestConfirmAndOfflineAccrual(t *testing.T) {
	x, _ := read(t, Profile{}, sampleNamed(t, "0220 confirm").build)
	require.Equal(t, "0A0000000017", x.Request.Target)
	require.True(t, x.Request.ISO.Advice)
	require.Equal(t, protocol.Printed{Redeemed: 65000, Payable: 65000, HasRedeemed: true, HasPayable: true}, x.Request.Printed)

	x, _ = read(t, Profile{}, sampleNamed(t, "0221 offline accrual").build)
	require.True(t, x.Request.Offline)
	require.True(t, x.Request.ISO.Advice)
	require.Equal(t, protocol.ByEmail, x.Request.Member.Kind)
	require.Equal(t, protocol.Redeem{}, x.Request.Redeem)
}

// TestPointsTakenOffline: what the receipt shows counts, else what the till
// asked for; fewer are not fine when it is printed.
func TestPointsTakenOffline(t *testing.T) {
	exactly := func(points int64) protocol.Redeem {
		return protocol.Redeem{Mode: protocol.RedeemPoints, Points: points}
	}
	for _, c := range []struct {
		mti, asked, printed string
		want                protocol.Redeem
	}{
		{"0220", "5000", "", exactly(5000)},
		{"0220", "5000", "4000", exactly(4000)},
		{"0220", "0", "4000", exactly(4000)},
		{"0221", "MAX", "4000", exactly(4000)},
		{"0220", "5000", "0", protocol.Redeem{}},
		{"0220", "MAX", "", protocol.Redeem{Mode: protocol.RedeemMax}},
	} {
		x, fault := read(t, Profile{}, func(t testing.TB, m *Message) {
			set(t, m, c.mti, common(map[int]string{3: "000000", 4: "50000"}))
			loyalty(t, m, TagIdentifierKind, "CARD", TagIdentifier, "AB-77", TagRedeem, c.asked, TagPartial, "Y")
			if c.printed != "" {
				var printed TLVs
				require.NoError(t, printed.Add(TagRedeemed, c.printed).Into(m, 61))
			}
		})
		require.Equal(t, Fault{}, fault)
		require.Equal(t, protocol.CallAccrue, x.Request.Call)
		require.Equal(t, c.want, x.Request.Redeem, "%+v", c)
		code, field, detail := protocol.Validate(&x.Request)
		require.True(t, code.OK(), "%s %s", field, detail)
	}
}

// TestMoneyPrintedOffline: the money that stands on the receipt counts; zeros
// beside no points are a fixed layout's filling, not a receipt that cost nothing.
func TestMoneyPrintedOffline(t *testing.T) {
	for _, c := range []struct {
		mti, asked, took, paid string
		want                   protocol.Printed
	}{
		{"0220", "", "", "40000", protocol.Printed{HasPayable: true, Payable: 40_000}},
		{"0220", "", "10000", "40000", protocol.Printed{HasRedeemed: true, Redeemed: 10_000, HasPayable: true, Payable: 40_000}},
		{"0221", "", "000000050000", "000000000000", protocol.Printed{HasRedeemed: true, Redeemed: 50_000, HasPayable: true}},
		{"0220", "50000", "", "0", protocol.Printed{HasPayable: true}},
		{"0220", "MAX", "", "0", protocol.Printed{HasPayable: true}},
		{"0220", "", "", "000000000000", protocol.Printed{}},
		{"0220", "0", "", "0", protocol.Printed{}},
		{"0221", "5000", "000000000000", "000000000000", protocol.Printed{HasRedeemed: true}},
	} {
		x, fault := read(t, Profile{}, func(t testing.TB, m *Message) {
			set(t, m, c.mti, common(map[int]string{3: "000000", 4: "50000"}))
			tags := []any{TagIdentifierKind, "CARD", TagIdentifier, "AB-77"}
			if c.asked != "" {
				tags = append(tags, TagRedeem, c.asked)
			}
			loyalty(t, m, tags...)
			var printed TLVs
			if c.took != "" {
				printed.Add(TagRedeemed, c.took)
			}
			require.NoError(t, printed.Add(TagPayable, c.paid).Into(m, 61))
		})
		require.Equal(t, Fault{}, fault)
		require.Equal(t, c.want, x.Request.Printed, "%+v", c)
	}
}

// TestPrecedence: DE48 02 wins over DE2, DE48 05 over DE37, lines over the sum
// of a return.
func TestPrecedence(t *testing.T) {
	x, fault := read(t, Profile{}, func(t testing.TB, m *Message) {
		sampleNamed(t, "0100 authorize").build(t, m)
		require.NoError(t, m.Set(2, "4276"))
	})
	require.Equal(t, Fault{}, fault)
	require.Equal(t, protocol.ByCode, x.Request.Member.Kind)

	x, fault = read(t, Profile{}, func(t testing.TB, m *Message) {
		sampleNamed(t, "0220 confirm").build(t, m)
		loyalty(t, m, TagHold, "0B0000000001")
	})
	require.Equal(t, Fault{}, fault)
	require.Equal(t, "0B0000000001", x.Request.Target)

	x, fault = read(t, Profile{}, func(t testing.TB, m *Message) {
		sampleNamed(t, "0200 return").build(t, m)
		require.NoError(t, m.Set(4, "100"))
	})
	require.Equal(t, Fault{}, fault)
	require.Zero(t, x.Request.ReturnAmount)
	require.Equal(t, []protocol.ReturnLine{{ID: "1"}, {ID: "2", Quantity: 500}}, x.Request.ReturnLines)
}

func TestReturnByReceiptOfAnEarlierShift(t *testing.T) {
	x, fault := read(t, Profile{}, func(t testing.TB, m *Message) {
		set(t, m, "0200", common(map[int]string{3: "200000", 4: "35000", 60: "46"}))
		loyalty(t, m, TagReceipt, "000123/45")
	})
	require.Equal(t, Fault{}, fault)
	require.Equal(t, protocol.Receipt{Number: "000123", Shift: "45"}, x.Request.Receipt)
	require.Equal(t, "46", x.Request.ISO.Shift)
	require.Equal(t, int64(35000), x.Request.ReturnAmount)
}

func TestReversalNamesItsOriginal(t *testing.T) {
	x, _ := read(t, Profile{}, sampleNamed(t, "0400 reversal").build)
	require.Equal(t, protocol.STANRef{Class: "010", STAN: "000016", DE7: "1120073000"}, x.Request.ISO.Original)
	require.True(t, x.Request.ISO.HasDE90)
	x, _ = read(t, Profile{}, sampleNamed(t, "0420 reversal advice").build)
	require.Equal(t, protocol.STANRef{Class: "020", STAN: "000016"}, x.Request.ISO.Original)
	x, _ = read(t, Profile{}, sampleNamed(t, "0401 reversal repeated").build)
	require.Equal(t, "0A0000000017", x.Request.Target)
	require.False(t, x.Request.ISO.HasDE90)
}

func TestShiftTotals(t *testing.T) {
	x, _ := read(t, profiles["all"], sampleNamed(t, "0500 shift totals").build)
	require.Equal(t, protocol.ShiftTotals{
		SalesCount: 12, Sales: 1_560_000, ReturnsCount: 1, Returns: 70_000,
		RedeemedCount: 3, Redeemed: 1_600_000, GivenBackCount: 1, GivenBack: 35_000, Net: -75_000,
	}, x.Request.Totals)
	require.Equal(t, "45", x.Request.Receipt.Shift)
	require.Equal(t, "398", x.Request.ISO.Currency)
}

// TestYear: neither DE7 nor DE12/13 says the year.
func TestYear(t *testing.T) {
	for _, c := range []struct {
		name, now, de7, de13, de12 string
		zone                       *time.Location
		want                       string // local
		fault                      Fault
	}{
		{"the same day", "2026-11-20T07:31:06Z", "1120073105", "1120", "123105", almaty, "2026-11-20T12:31:05", Fault{}},
		{"sent before midnight, read after", "2027-01-01T00:00:10Z", "1231235950", "1231", "235950", time.UTC, "2026-12-31T23:59:50", Fault{}},
		{"local new year comes first", "2026-12-31T20:00:00Z", "1231200000", "0101", "010000", almaty, "2027-01-01T01:00:00", Fault{}},
		{"a till ahead of the server", "2026-12-31T23:59:00Z", "0101000010", "0101", "000010", time.UTC, "2027-01-01T00:00:10", Fault{}},
		{"an offline receipt a month old", "2027-01-10T10:00:00Z", "0110100000", "1210", "100000", time.UTC, "2026-12-10T10:00:00", Fault{}},
		{"a leap day", "2028-03-01T10:00:00Z", "0301100000", "0229", "100000", time.UTC, "2028-02-29T10:00:00", Fault{}},
		{"the leap day of next year", "2027-12-31T10:00:00Z", "1231100000", "0229", "100000", time.UTC, "2028-02-29T10:00:00", Fault{}},
		{"no leap day anywhere near", "2026-03-01T10:00:00Z", "0301100000", "0229", "100000", time.UTC, "", Fault{13, OutOfRange}},
		{"without DE7 the clock counts", "2026-11-20T07:31:06Z", "", "1120", "073105", time.UTC, "2026-11-20T07:31:05", Fault{}},
		{"month 13", "2026-11-20T07:31:06Z", "1320073105", "1120", "073105", time.UTC, "", Fault{7, OutOfRange}},
		{"31 April", "2026-11-20T07:31:06Z", "1120073105", "0431", "073105", time.UTC, "", Fault{13, OutOfRange}},
		{"day 0", "2026-11-20T07:31:06Z", "1120073105", "0400", "073105", time.UTC, "", Fault{13, OutOfRange}},
		{"24 o'clock", "2026-11-20T07:31:06Z", "1120073105", "1120", "240000", time.UTC, "", Fault{12, OutOfRange}},
		{"61 seconds", "2026-11-20T07:31:06Z", "1120073161", "1120", "073105", time.UTC, "", Fault{7, OutOfRange}},
		{"a date without a time", "2026-11-20T07:31:06Z", "1120073105", "1120", "", time.UTC, "", Fault{12, Missing}},
		{"a time without a date", "2026-11-20T07:31:06Z", "1120073105", "", "073105", time.UTC, "", Fault{13, Missing}},
	} {
		t.Run(c.name, func(t *testing.T) {
			now, err := time.Parse(time.RFC3339, c.now)
			require.NoError(t, err)
			codec := NewCodec(Profile{})
			m := NewMessage(codec)
			require.NoError(t, m.SetMTI("0800"))
			for n, v := range map[int]string{7: c.de7, 11: "1", 12: c.de12, 13: c.de13, 41: "T", 70: "301"} {
				if v != "" {
					require.NoError(t, m.Set(n, v))
				}
			}
			var req protocol.Request
			fault := m.Request(Inbound{Now: now, Zone: func(_, _ string) *time.Location { return c.zone }}, &req)
			require.Equal(t, c.fault, fault)
			if fault.OK() {
				require.True(t, req.At.Set)
				require.Equal(t, c.want, time.Unix(0, req.At.Unix).In(c.zone).Format("2006-01-02T15:04:05"))
			}
		})
	}
}

// TestRefusedContent: each message is one change away from a good one, and is
// refused with the number of the field that is wrong.
func TestRefusedContent(t *testing.T) {
	authorize, confirm, back := "0100 authorize", "0220 confirm", "0200 return"
	shift, reversal, echo := "0500 shift totals", "0400 reversal", "0801 echo"
	value := func(field int, v string) func(*testing.T, *Message) {
		return func(t *testing.T, m *Message) { require.NoError(t, m.Set(field, v)) }
	}
	without := func(field int) func(*testing.T, *Message) {
		return func(t *testing.T, m *Message) { m.Unset(field) }
	}
	mti := func(v string) func(*testing.T, *Message) {
		return func(t *testing.T, m *Message) { require.NoError(t, m.SetMTI(v)) }
	}
	for _, c := range []struct {
		name, sample string
		change       func(*testing.T, *Message)
		want         Fault
	}{
		{"no STAN", authorize, without(11), Fault{11, Missing}},
		{"no terminal", authorize, without(41), Fault{41, Missing}},
		{"a blank terminal", authorize, value(41, "   "), Fault{41, Missing}},
		{"a bell in the terminal", authorize, value(41, "T\x07"), Fault{41, BadContent}},
		{"no processing code", authorize, without(3), Fault{3, Missing}},
		{"an unknown processing code", authorize, value(3, "990000"), Fault{3, NotSupported}},
		{"a return as authorization", authorize, value(3, "200000"), Fault{3, NotSupported}},
		{"an offline redemption", "0221 offline accrual", value(3, "170000"), Fault{3, NotSupported}},
		{"a version of 1993", authorize, mti("1100"), Fault{0, NotSupported}},
		{"a file action", authorize, mti("0302"), Fault{0, NotSupported}},
		{"an answer", authorize, mti("0110"), Fault{0, NotARequest}},
		{"an origin that is no acquirer", authorize, mti("0102"), Fault{0, NotSupported}},
		{"DE48 cut off", authorize, value(48, "01004PHO"), Fault{48, BadContent}},
		{"DE48 with a letter in a length", authorize, value(48, "010O4PHON"), Fault{48, BadContent}},
		{"DE48 with an unknown tag", authorize, value(48, "99001x"), Fault{48, BadContent}},
		{"DE48 with an unused tag", authorize, value(48, "04001x"), Fault{48, BadContent}},
		{"DE48 with an empty value", authorize, value(48, "08000"), Fault{48, BadContent}},
		{"DE48 with a tag twice", authorize, value(48, "08001a08001b"), Fault{48, BadContent}},
		{"DE48 with an unknown kind", authorize, value(48, "01004FOOT02001x"), Fault{48, BadContent}},
		{"DE48 with a kind alone", authorize, value(48, "01004CARD"), Fault{48, BadContent}},
		{"DE48 with an identifier alone", authorize, value(48, "020011"), Fault{48, BadContent}},
		{"DE48 with letters for points", authorize, value(48, "03003ALL"), Fault{48, BadContent}},
		{"DE48 with a negative number of points", authorize, value(48, "03002-1"), Fault{48, BadContent}},
		{"DE48 with a space in the key", authorize, value(48, "06003a b"), Fault{48, BadContent}},
		{"DE48 with a strange answer for partial", authorize, value(48, "13001X"), Fault{48, BadContent}},
		{"DE48 with a line feed", authorize, value(48, "08001\n"), Fault{48, BadContent}},
		{"DE60 with two slashes", authorize, value(60, "1/2/3"), Fault{60, BadContent}},
		{"DE60 with no shift", authorize, value(60, "/3"), Fault{60, BadContent}},
		{"DE60 with no batch", authorize, value(60, "3/"), Fault{60, BadContent}},
		{"DE61 with letters", confirm, value(61, "0200112"[:5]+"x"), Fault{61, BadContent}},
		{"DE61 with a colon", confirm, value(61, "05003a:b"), Fault{61, BadContent}},
		{"DE61 with an unknown tag", confirm, value(61, "10001x"), Fault{61, BadContent}},
		{"DE62 with six columns", authorize, value(62, "1|a|b|c|1|2"), Fault{62, BadContent}},
		{"DE62 with eight columns", authorize, value(62, "1|a|b|c|1|2|3|4"), Fault{62, BadContent}},
		{"DE62 with a colon", authorize, value(62, "1|a:b|||1|2|3"), Fault{62, BadContent}},
		{"DE62 without an id", authorize, value(62, "|a|||1|2|3"), Fault{62, BadContent}},
		{"DE62 with a semicolon at the end", authorize, value(62, "1|a|||1|2|3;"), Fault{62, BadContent}},
		{"DE62 with a negative quantity", authorize, value(62, "1|a|||-1|2|3"), Fault{62, BadContent}},
		{"DE62 with four places", authorize, value(62, "1|a|||0.1234|2|3"), Fault{62, BadContent}},
		{"DE62 with an exponent", authorize, value(62, "1|a|||1e3|2|3"), Fault{62, BadContent}},
		{"DE62 with a bare point", authorize, value(62, "1|a|||1.|2|3"), Fault{62, BadContent}},
		{"DE62 without a price", authorize, value(62, "1|a|||1||3"), Fault{62, BadContent}},
		{"DE62 with a price of 13 digits", authorize, value(62, "1|a|||1|1000000000000|3"), Fault{62, BadContent}},
		{"DE62 without DE4", authorize, without(4), Fault{4, Missing}},
		{"a return of nothing named", back, without(37), Fault{37, Missing}},
		{"a return of no pieces", back, value(62, "1||||0||"), Fault{62, BadContent}},
		{"a return with a price in letters", back, value(62, "1||||1|x|"), Fault{62, BadContent}},
		{"a reversal of nothing named", reversal, without(90), Fault{90, Missing}},
		{"a reversal of a reversal", reversal, value(90, "040000001611200730000000000000000000000000"), Fault{90, BadContent}},
		{"a shift without a number", shift, without(60), Fault{60, Missing}},
		{"a shift without a net amount", shift, without(97), Fault{97, Missing}},
		{"network management of what", echo, without(70), Fault{70, Missing}},
		{"network management unheard of", echo, value(70, "999"), Fault{70, NotSupported}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, fault := read(t, Profile{}, func(tb testing.TB, m *Message) {
				sampleNamed(tb, c.sample).build(tb, m)
				c.change(t, m)
			})
			require.Equal(t, c.want, fault)
			require.Equal(t, protocol.InvalidRequest, x.Response.Code)
			require.Equal(t, c.want.Reason == NotARequest, fault.Unreadable())

			answer := answerTo(t, x, nil)
			require.Equal(t, "30", answer.Text(39))
			require.Equal(t, fieldNames[c.want.Field], answer.Text(44))
		})
	}
}

// TestTooManyLines: 501 lines fit a long basket's DE62 and are refused.
func TestTooManyLines(t *testing.T) {
	_, fault := read(t, Profile{LongBasket: true}, func(t testing.TB, m *Message) {
		set(t, m, "0100", common(map[int]string{3: "000000", 4: "501"}))
		lines := "a||||1|1|1"
		for range 500 {
			lines += ";a||||1|1|1"
		}
		require.NoError(t, m.Set(62, lines))
	})
	require.Equal(t, Fault{62, TooMany}, fault)
}

// TestHash: a repeat may differ in the MTI's last digit, DE7, DE53 and the
// MAC; anything else is another content.
func TestHash(t *testing.T) {
	hash := func(change func(m *Message)) [16]byte {
		x, fault := read(t, Profile{}, func(t testing.TB, m *Message) {
			sampleNamed(t, "0100 authorize").build(t, m)
			change(m)
		})
		require.Equal(t, Fault{}, fault)
		return x.Request.Hash
	}
	first := hash(func(*Message) {})
	require.NotZero(t, first)
	same := map[string]func(m *Message) error{
		"the repeat digit": func(m *Message) error { return m.SetMTI("0101") },
		"another DE7":      func(m *Message) error { return m.Set(7, "1120073959") },
		"no DE7":           func(m *Message) error { m.Unset(7); return nil },
		"DE53":             func(m *Message) error { return m.Set(53, "1") },
		"DE64":             func(m *Message) error { return m.Set(64, "12345678") },
		"DE128":            func(m *Message) error { return m.Set(128, "12345678") },
	}
	for name, change := range same {
		require.Equal(t, first, hash(func(m *Message) { require.NoError(t, change(m)) }), name)
	}
	other := map[string]func(m *Message) error{
		"another class":     func(m *Message) error { return m.SetMTI("0200") },
		"another amount":    func(m *Message) error { return m.Set(62, "1||||1|130000|130000") },
		"one field less":    func(m *Message) error { m.Unset(32); return nil },
		"an unused field":   func(m *Message) error { return m.Set(25, "01") },
		"an empty field":    func(m *Message) error { return m.Set(2, "") },
		"bytes moved along": func(m *Message) error { return m.Set(60, "45") },
	}
	for name, change := range other {
		require.NotEqual(t, first, hash(func(m *Message) { require.NoError(t, change(m)) }), name)
	}
}

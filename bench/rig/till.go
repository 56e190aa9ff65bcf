package rig

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"tillgate/protocol/iso8583"
)

// Till is an [Edge] over ISO-8583: one connection, one request at a time.
type Till struct {
	Address  string
	Terminal string
	Store    string

	codec   *iso8583.Codec
	framing iso8583.Framing
	conn    net.Conn
	reader  *iso8583.Reader
	sent    map[string]sentMessage // by STAN, for reversals
}

// sentMessage is what DE90 says of a message.
type sentMessage struct{ mti, de7 string }

// NewTill makes a till in the default dialect.
func NewTill(address, terminal string) *Till {
	return &Till{
		Address: address, Terminal: terminal, Store: "S01",
		codec: iso8583.NewCodec(iso8583.Profile{}), sent: map[string]sentMessage{},
	}
}

// Close hangs up.
func (t *Till) Close() {
	if t.conn != nil {
		_ = t.conn.Close() // whatever it says, the connection is gone
		t.conn, t.reader = nil, nil
	}
}

// Send exchanges one message. A connection that breaks is dialled again by
// the next Send.
func (t *Till) Send(a Ask) (Figures, []byte, error) {
	m, err := t.message(a)
	if err != nil {
		return Figures{}, nil, err
	}
	frame, err := t.exchange(t.codec.AppendMessage(nil, m))
	if err != nil {
		t.Close()
		return Figures{}, nil, err
	}
	return t.figures(frame)
}

func (t *Till) exchange(message []byte) ([]byte, error) {
	if t.conn == nil {
		conn, err := net.DialTimeout("tcp", t.Address, 2*time.Second)
		if err != nil {
			return nil, err
		}
		t.conn, t.reader = conn, iso8583.NewReader(conn, t.framing)
	}
	if err := t.conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	out, err := t.framing.AppendFrame(nil, iso8583.TPDU{}, message)
	if err != nil {
		return nil, err
	}
	if _, err := t.conn.Write(out); err != nil {
		return nil, err
	}
	for {
		frame, ok, err := t.reader.Next()
		if err != nil {
			return nil, err
		}
		if ok {
			return append([]byte(nil), frame.Message...), nil
		}
		if err := t.reader.Fill(); err != nil {
			return nil, err
		}
	}
}

// figures reads an answer. A retryable one (91, 96) is no answer yet.
func (t *Till) figures(frame []byte) (Figures, []byte, error) {
	m := iso8583.NewMessage(t.codec)
	if fault := t.codec.Decode(frame, m); !fault.OK() {
		return Figures{}, nil, fault
	}
	r, fault := m.Reply()
	if !fault.OK() {
		return Figures{}, nil, fault
	}
	if r.Code == "91" || r.Code == "96" {
		return Figures{}, nil, fmt.Errorf("DE39 %s", r.Code)
	}
	f := Figures{
		ID: r.RRN, Status: r.Code, Redeemed: r.Results.Redeemed, Payable: r.Results.Payable, Earned: r.Results.Earned,
		Available: r.Balance.Available, Held: r.Balance.Held, Pending: r.Balance.Pending,
	}
	if r.Code != "00" {
		return f, frame, &Declined{Code: r.Code, Detail: r.Help}
	}
	return f, frame, nil
}

// message builds a request. The times are made of the STAN, so that a repeat
// is the same message, and lie near the server's clock, which decides online
// requests anyway.
func (t *Till) message(a Ask) (*iso8583.Message, error) {
	m := iso8583.NewMessage(t.codec)
	stan := a.Key
	if _, ok := t.sent[stan]; !ok {
		t.sent[stan] = sentMessage{mti: mtis[a.Kind], de7: time.Now().UTC().Format("0102150405")}
	}
	sent := t.sent[stan]
	var tlv iso8583.TLVs
	set := fieldSetter{m: m}
	set.mti(sent.mti)
	set.field(7, sent.de7)
	set.field(11, stan)
	set.field(12, sent.de7[4:])
	set.field(13, sent.de7[:4])
	set.field(41, t.Terminal)
	set.field(42, t.Store)
	set.field(49, "398")
	switch a.Kind {
	case Authorize, Accrue:
		set.field(3, "000000")
		set.field(4, fmt.Sprintf("%012d", a.Total))
		tlv.Add(1, "CARD").Add(2, a.Member)
		if a.Points > 0 {
			tlv.Add(3, strconv.FormatInt(a.Points, 10))
		}
	case Confirm:
		set.field(3, "000000")
		set.field(4, fmt.Sprintf("%012d", a.Total))
		set.field(37, a.Sale)
		set.field(60, "1")
		tlv.Add(10, a.Receipt)
	case Return:
		set.field(3, "200000")
		set.field(4, fmt.Sprintf("%012d", a.Total))
		set.field(37, a.Sale)
	case Void, Reverse:
		set.field(3, "000000")
		original := t.sent[a.Original]
		if a.Kind == Void {
			set.field(37, a.Sale)
			break
		}
		set.original(original.mti, a.Original, original.de7)
	}
	if set.err == nil {
		set.err = tlv.Into(m, 48)
	}
	return m, set.err
}

// mtis are the message types of each request.
var mtis = map[Kind]string{
	Authorize: "0100", Accrue: "0200", Confirm: "0220", Return: "0200", Void: "0400", Reverse: "0420",
}

// fieldSetter keeps the first error of several settings.
type fieldSetter struct {
	m   *iso8583.Message
	err error
}

func (s *fieldSetter) mti(v string) {
	if s.err == nil {
		s.err = s.m.SetMTI(v)
	}
}

func (s *fieldSetter) field(n int, v string) {
	if s.err == nil {
		s.err = s.m.Set(n, v)
	}
}

func (s *fieldSetter) original(mti, stan, de7 string) {
	if s.err == nil {
		s.err = s.m.SetOriginal(mti, stan, de7)
	}
}

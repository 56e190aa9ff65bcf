package iso8583_test

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"tillgate/protocol"
	"tillgate/protocol/iso8583"
)

// A till builds an authorization and frames it for the wire.
func ExampleMessage() {
	profile := iso8583.Profile{}
	codec := iso8583.NewCodec(profile)
	m := iso8583.NewMessage(codec)
	must(m.SetMTI("0100"))
	must(m.Set(3, "000000"))
	must(m.SetInt(4, 130000)) // 1300.00
	must(m.Set(11, "17"))
	must(m.Set(12, "123105"))
	must(m.Set(13, "1120"))
	must(m.Set(41, "T0001"))
	var loyalty iso8583.TLVs
	loyalty.Add(iso8583.TagIdentifierKind, "CARD").Add(iso8583.TagIdentifier, "2200555").Add(iso8583.TagRedeem, "MAX")
	must(loyalty.Into(m, 48))
	must(m.SetBasket([]protocol.Line{{ID: "1", SKU: "4601", Quantity: 1000, Price: 130000, Amount: 130000}}))

	message := codec.AppendMessage(nil, m)
	frame, err := profile.Framing.AppendFrame(nil, iso8583.TPDU{}, message)
	must(err)
	fmt.Printf("%d bytes, length % x\n", len(frame), frame[:2])
	must(profile.Describe(os.Stdout, message))
	// Output:
	// 115 bytes, length 00 71
	// MTI  0100  authorization request
	// F3   Processing code                    000000
	// F4   Amount                             000000130000
	// F11  System trace audit number (STAN)   000017
	// F12  Local time                         123105
	// F13  Local date                         1120
	// F41  Terminal                           T0001
	// F48  Loyalty data
	//      01 kind of identifier CARD
	//      02 identifier         ****
	//      03 points to redeem   MAX
	// F62  Basket
	//      1|4601|||1|130000|130000
}

// A server takes frames off a stream, reads requests and renders answers.
func ExampleCodec_Read() {
	profile := iso8583.Profile{}
	codec := iso8583.NewCodec(profile)
	till := iso8583.NewMessage(codec)
	must(till.SetMTI("0800"))
	must(till.Set(11, "1"))
	must(till.Set(41, "T0001"))
	must(till.Set(70, "301"))
	wire, err := profile.Framing.AppendFrame(nil, iso8583.TPDU{}, codec.AppendMessage(nil, till))
	must(err)

	reader := iso8583.NewReader(bytes.NewReader(wire), profile.Framing)
	must(reader.Fill())
	frame, ok, err := reader.Next()
	must(err)
	fmt.Println("a whole frame:", ok)

	m := iso8583.NewMessage(codec)
	var x protocol.Exchange
	fault := codec.Read(frame.Message, m, iso8583.Inbound{Now: time.Now()}, &x)
	if fault.OK() {
		x.Response.Code = protocol.Approved // the switch decides; a fault has made its refusal already
	}

	out, mark := profile.Framing.Open(nil, frame.TPDU.Answer())
	out = codec.AppendAnswer(out, m, &x.Request, &x.Response, nil)
	out, err = profile.Framing.Close(out, mark)
	must(err)
	must(profile.Describe(os.Stdout, out[2:]))
	// Output:
	// a whole frame: true
	// MTI  0810  network management answer
	// F11  System trace audit number (STAN)   000001
	// F39  Answer                             00
	// F41  Terminal                           T0001
	// F70  Network management code            301
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

package iso8583

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	moov "github.com/moov-io/iso8583"
	mooverrors "github.com/moov-io/iso8583/errors"
)

// mtiNames are the message types of docs/iso8583.md by their first three digits.
var mtiNames = map[string]string{
	"010": "authorization request", "011": "authorization answer",
	"020": "one-step request", "021": "one-step answer",
	"022": "advice", "023": "advice answer",
	"040": "reversal request", "041": "reversal answer",
	"042": "reversal advice", "043": "reversal advice answer",
	"050": "shift totals request", "051": "shift totals answer",
	"052": "shift totals advice", "053": "shift totals advice answer",
	"061": "answer to what is no request",
	"080": "network management request", "081": "network management answer",
}

var loyaltyNames = map[int]string{
	TagIdentifierKind: "kind of identifier", TagIdentifier: "identifier", TagRedeem: "points to redeem",
	TagHold: "hold", TagKey: "idempotency id", TagPromo: "promo code", TagCashier: "cashier",
	TagChannel: "channel", TagReceipt: "receipt", TagStoreGroup: "store group", TagTender: "tender",
	TagPartial: "partial is fine",
}

var resultNames = map[int]string{
	TagEarned: "earned", TagRedeemed: "redeemed", TagPayable: "payable", TagDiscount: "discount",
	TagTier: "tier", TagActive: "active from", TagExpires: "expires", TagLines: "lines",
	TagMaxPoints: "allowed at most",
}

// Describe writes a frame's message field by field for people to read, with
// everything secret or personal masked. It reads the message by way of the
// MessageSpec and moov, which makes it a second opinion on the hot path's
// codec; it is slow and meant for consoles and tests.
func (p Profile) Describe(w io.Writer, message []byte) error {
	parsed := moov.NewMessage(p.MessageSpec())
	if err := parsed.Unpack(message); err != nil {
		return refusal(err)
	}
	var out strings.Builder
	mti, _ := parsed.GetMTI()
	name := ""
	if len(mti) == 4 {
		name = mtiNames[mti[:3]]
	}
	fmt.Fprintf(&out, "MTI  %s  %s\n", mti, name)
	fields := parsed.GetFields()
	for _, n := range fieldOrder(fields) {
		value, err := fields[n].Bytes()
		if err != nil {
			return fmt.Errorf("field %d: %w", n, err)
		}
		describeField(&out, n, fields[n].Spec().Description, value)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// refusal says which field moov could not read. Its own errors hold pieces of
// the message, which may be secret.
func refusal(err error) error {
	var unpack *mooverrors.UnpackError
	if errors.As(err, &unpack) {
		return fmt.Errorf("the message can't be read from field %s on", unpack.FieldID)
	}
	return errors.New("the message can't be read")
}

func fieldOrder[F any](fields map[int]F) (numbers []int) {
	for n := range fields {
		if n > 1 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

func describeField(out *strings.Builder, n int, name string, value []byte) {
	switch n {
	case 48:
		fmt.Fprintf(out, "F%-3d %s\n", n, name)
		describeTLVs(out, value, loyaltyNames)
	case 61:
		fmt.Fprintf(out, "F%-3d %s\n", n, name)
		describeTLVs(out, value, resultNames)
	case 54:
		fmt.Fprintf(out, "F%-3d %s\n", n, name)
		for ; len(value) >= balanceLen; value = value[balanceLen:] {
			fmt.Fprintf(out, "     %s\n", printable(value[:balanceLen]))
		}
	case 62, 63:
		fmt.Fprintf(out, "F%-3d %s\n", n, name)
		for _, line := range strings.FieldsFunc(string(value), func(r rune) bool { return r == ';' || r == '\n' }) {
			fmt.Fprintf(out, "     %s\n", printable([]byte(line)))
		}
	default:
		text := printable(value)
		if table[slotOf[n]].Secret {
			text = mask(n, value)
		}
		fmt.Fprintf(out, "F%-3d %-34s %s\n", n, name, text)
	}
}

// mask hides a secret: of a card number the last four digits stay, as on a
// slip; of anything else nothing.
func mask(n int, value []byte) string {
	if n == 2 && len(value) > 8 {
		return strings.Repeat("*", len(value)-4) + printable(value[len(value)-4:])
	}
	return "****"
}

func describeTLVs(out *strings.Builder, data []byte, names map[int]string) {
	for len(data) > 0 {
		tag, value, rest, ok := NextTLV(data)
		if !ok {
			fmt.Fprintf(out, "     malformed from here, %d bytes\n", len(data))
			return
		}
		text := printable(value)
		if tag == TagIdentifier && names[tag] == loyaltyNames[TagIdentifier] {
			text = "****"
		}
		fmt.Fprintf(out, "     %02d %-18s %s\n", tag, names[tag], text)
		data = rest
	}
}

// printable shows bytes that are no text as hex, so that a console is safe.
func printable(value []byte) string {
	if content := (&op{kind: Text}).content(value); content != Fine || !visible(value) {
		return "0x" + strings.ToUpper(hex.EncodeToString(value))
	}
	return string(value)
}

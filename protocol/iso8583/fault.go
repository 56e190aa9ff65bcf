package iso8583

import (
	"strconv"

	"tillgate/protocol"
)

// Reason is why a message is refused: a closed list, so that a fault costs no
// allocation and can be counted.
type Reason uint8

const (
	Fine Reason = iota
	FrameTooLong
	BadMTI       // not four digits, or cut off
	BadBitmap    // not hex digits, or cut off
	Chained      // a third bitmap
	Truncated    // the frame ends inside the field
	BadLength    // the length's digits are not digits
	TooLong      // longer than the table says
	UnknownField // not in the table
	NotDigits    // n: something else than a digit
	NotAlnum     // an: something else than letter, digit, space
	NotText      // ans: invalid UTF-8
	BadSign      // x+n: neither C nor D
	BadPadding   // BCD: the unused half byte is not zero
	Trailing     // bytes after the last field
	NotARequest  // the MTI is an answer's
	NotSupported // an MTI or processing code that means nothing here
	Missing      // the call needs the field
	BadContent   // the field's own sub-format is broken
	OutOfRange   // a date, time or number that cannot be
	TooMany      // more lines than a basket may have
	reasonCount  // not a reason
)

// structural reports that what follows the field can't be found any more.
func (r Reason) structural() bool { return r >= Truncated && r <= UnknownField }

var reasons = [reasonCount]string{
	Fine:         "fine",
	FrameTooLong: "the frame is over 8 KiB",
	BadMTI:       "the message type is not four digits",
	BadBitmap:    "the bitmap is cut off or malformed",
	Chained:      "a third bitmap is not supported",
	Truncated:    "the frame ends inside the field",
	BadLength:    "the field's length is not a number",
	TooLong:      "the field is longer than the table allows",
	UnknownField: "the field is not in the table",
	NotDigits:    "the field holds something else than digits",
	NotAlnum:     "the field holds something else than letters and digits",
	NotText:      "the field is not UTF-8",
	BadSign:      "the sign is neither C nor D",
	BadPadding:   "the unused half byte is not zero",
	Trailing:     "there are bytes after the last field",
	NotARequest:  "the message type is an answer's",
	NotSupported: "the message type or processing code is not supported",
	Missing:      "the field is missing",
	BadContent:   "the content of the field is malformed",
	OutOfRange:   "the value of the field cannot be",
	TooMany:      "the basket has more than 500 lines",
}

// String is a short sentence without any of the message's content.
func (r Reason) String() string {
	if r >= reasonCount {
		return "malformed"
	}
	return reasons[r]
}

// Fault says what is wrong with a message. The zero Fault is none. Field is
// the number of the field (0 the MTI, 1 the bitmap) and goes into DE44 of the
// refusal. A Fault never holds any of the message's content.
type Fault struct {
	Field  int
	Reason Reason
}

// OK reports that nothing is wrong.
func (f Fault) OK() bool { return f.Reason == Fine }

// Unreadable reports that not even the bitmap could be read, or that the
// message is somebody's answer: the connection ends after the refusal. Any
// other fault is of one message only; the next frame is as good as ever.
func (f Fault) Unreadable() bool {
	return f.Reason != Fine && f.Reason <= Chained || f.Reason == NotARequest
}

// Error is the fault as a sentence, without any of the message's content.
func (f Fault) Error() string {
	return "field " + strconv.Itoa(f.Field) + ": " + f.Reason.String()
}

// Refuse makes the response to a faulty message.
func (f Fault) Refuse(r *protocol.Response) {
	r.Reset()
	r.Code = protocol.InvalidRequest
	r.Field = fieldNames[f.Field]
	r.Detail = f.Reason.String()
}

// fieldNames are the decimal numbers of the fields, so that a refusal
// allocates nothing.
var fieldNames = func() (names [129]string) {
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}()

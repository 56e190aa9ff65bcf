package iso8583

import (
	"encoding/binary"
	"errors"
)

// LengthForm is how the length before a frame is written.
type LengthForm uint8

const (
	LengthBinary LengthForm = iota // 2 bytes, big-endian
	LengthASCII                    // 4 ASCII digits
	LengthBCD                      // 2 bytes, 4 packed digits
)

// Framing is how messages are laid on a TCP stream: a length that counts
// everything after itself, then the TPDU if there is one, then the message.
type Framing struct {
	Length LengthForm
	TPDU   bool
}

// Framing errors end the connection at once: after a wrong length nothing on
// the stream can be trusted.
var (
	ErrFrameTooLong = errors.New("iso8583: the frame is over 8 KiB")
	ErrBadLength    = errors.New("iso8583: the frame's length is not a number")
	ErrNoTPDU       = errors.New("iso8583: the frame is too short for its TPDU")
)

// tpduLen is the transport header of ISO 8583 over NAC networks: identifier
// (0x60), destination (2 bytes), source (2 bytes).
const tpduLen = 5

// TPDU is the transport header of a frame.
type TPDU [tpduLen]byte

// Answer is the header of an answer: the same, with the addresses swapped.
func (t TPDU) Answer() TPDU { return TPDU{t[0], t[3], t[4], t[1], t[2]} }

// headerLen is the number of bytes of the length.
func (f Framing) headerLen() int {
	if f.Length == LengthASCII {
		return 4
	}
	return 2
}

// length reads the length from the first headerLen bytes.
func (f Framing) length(header []byte) (int, error) {
	n := 0
	switch f.Length {
	case LengthASCII:
		for _, c := range header[:4] {
			if c-'0' > 9 {
				return 0, ErrBadLength
			}
			n = n*10 + int(c-'0')
		}
	case LengthBCD:
		for _, b := range header[:2] {
			if b>>4 > 9 || b&15 > 9 {
				return 0, ErrBadLength
			}
			n = n*100 + int(b>>4)*10 + int(b&15)
		}
	default:
		n = int(binary.BigEndian.Uint16(header))
	}
	if n > MaxFrame {
		return 0, ErrFrameTooLong
	}
	if f.TPDU && n > 0 && n < tpduLen {
		return 0, ErrNoTPDU
	}
	return n, nil
}

// Open begins a frame at the end of dst: it leaves room for the length and
// writes the TPDU where the framing has one. mark goes to Close.
func (f Framing) Open(dst []byte, tpdu TPDU) (opened []byte, mark int) {
	mark = len(dst)
	dst = append(dst, make([]byte, f.headerLen())...)
	if f.TPDU {
		dst = append(dst, tpdu[:]...)
	}
	return dst, mark
}

// Close ends the frame that began at mark: what was appended since Open is
// its message. A frame over MaxFrame is taken off again with ErrFrameTooLong.
func (f Framing) Close(dst []byte, mark int) ([]byte, error) {
	n := len(dst) - mark - f.headerLen()
	if n > MaxFrame {
		return dst[:mark], ErrFrameTooLong
	}
	header := dst[mark:]
	switch f.Length {
	case LengthASCII:
		header[0], header[1] = '0'+byte(n/1000), '0'+byte(n/100%10)
		header[2], header[3] = '0'+byte(n/10%10), '0'+byte(n%10)
	case LengthBCD:
		header[0], header[1] = byte(n/1000)<<4|byte(n/100%10), byte(n/10%10)<<4|byte(n%10)
	default:
		binary.BigEndian.PutUint16(header, uint16(n))
	}
	return dst, nil
}

// AppendFrame appends a message that is already encoded as one frame.
func (f Framing) AppendFrame(dst []byte, tpdu TPDU, message []byte) ([]byte, error) {
	dst, mark := f.Open(dst, tpdu)
	return f.Close(append(dst, message...), mark)
}

// AppendKeepAlive appends a frame of length zero, which says only that the
// line is alive.
func (f Framing) AppendKeepAlive(dst []byte) []byte {
	if f.Length == LengthASCII {
		return append(dst, "0000"...)
	}
	return append(dst, 0, 0)
}

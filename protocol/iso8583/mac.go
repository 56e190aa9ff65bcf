package iso8583

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"fmt"
	"sync"
)

// macLen is how much of the CMAC goes into DE64 or DE128.
const macLen = 8

// Key is one AES key of a terminal, ready for use. The MAC is AES-CMAC as of
// RFC 4493 (NIST SP 800-38B). The standard library has none that is exported,
// and it is forty lines over crypto/aes; a dependency for that would have to
// be watched for longer than this takes to read.
type Key struct {
	Number uint64 // as it stands in DE53
	block  cipher.Block
	k1, k2 [aes.BlockSize]byte // subkeys for a whole and for a cut last block
}

// NewKey takes 16, 24 or 32 bytes of key material. The number is what DE53
// says, up to 16 digits.
func NewKey(number uint64, material []byte) (*Key, error) {
	if number > 9999_9999_9999_9999 {
		return nil, fmt.Errorf("a MAC key's number has at most 16 digits")
	}
	block, err := aes.NewCipher(material)
	if err != nil {
		return nil, fmt.Errorf("MAC key %d: an AES key has 16, 24 or 32 bytes, not %d", number, len(material))
	}
	k := &Key{Number: number, block: block}
	var zero [aes.BlockSize]byte
	block.Encrypt(k.k1[:], zero[:])
	double(&k.k1)
	k.k2 = k.k1
	double(&k.k2)
	return k, nil
}

// double multiplies by x in GF(2¹²⁸) (RFC 4493, section 2.3), without a branch
// on the key.
func double(b *[aes.BlockSize]byte) {
	carry := b[0] >> 7
	for i := range len(b) - 1 {
		b[i] = b[i]<<1 | b[i+1]>>7
	}
	b[len(b)-1] = b[len(b)-1]<<1 ^ 0x87*carry
}

// states are the running blocks of MACs under way: cipher.Block is an
// interface, so that a block on the stack would escape at every call.
var states = sync.Pool{New: func() any { return new([aes.BlockSize]byte) }}

// sum is the first 8 bytes of the CMAC of the message.
func (k *Key) sum(message []byte) (mac [macLen]byte) {
	full := states.Get().(*[aes.BlockSize]byte)
	k.cmac(full, message)
	copy(mac[:], full[:])
	states.Put(full)
	return mac
}

// cmac is RFC 4493, section 2.4; x is the running block and the result.
func (k *Key) cmac(x *[aes.BlockSize]byte, message []byte) {
	*x = [aes.BlockSize]byte{}
	for len(message) > aes.BlockSize {
		subtle.XORBytes(x[:], x[:], message[:aes.BlockSize])
		k.block.Encrypt(x[:], x[:])
		message = message[aes.BlockSize:]
	}
	subtle.XORBytes(x[:], x[:], message)
	if len(message) == aes.BlockSize {
		subtle.XORBytes(x[:], x[:], k.k1[:])
	} else {
		x[len(message)] ^= 0x80
		subtle.XORBytes(x[:], x[:], k.k2[:])
	}
	k.block.Encrypt(x[:], x[:])
}

// macField is where a message's MAC stands: DE128 where there is a secondary
// bitmap, DE64 where there is none.
func macField(secondary bool) int {
	if secondary {
		return 128
	}
	return 64
}

// AppendSigned is AppendMessage with the key's number in DE53 and the MAC as
// the last field. With no key it is AppendMessage.
func (c *Codec) AppendSigned(dst []byte, m *Message, k *Key) []byte {
	if k == nil {
		return c.AppendMessage(dst, m)
	}
	m.Unset(64)
	m.Unset(128)
	m.putNumber(53, int64(k.Number), 16)
	start := len(m.own)
	m.own = append(m.own, make([]byte, macLen)...)
	m.put(macField(m.bits[1] != 0), m.own[start:])
	from := len(dst)
	dst = c.AppendMessage(dst, m)
	body := dst[from : len(dst)-macLen]
	mac := k.sum(body)
	copy(dst[len(dst)-macLen:], mac[:])
	return dst
}

// verify reports whether the frame, which was decoded into m without a fault,
// ends with the key's MAC.
func (k *Key) verify(frame []byte, m *Message) bool {
	field := macField(m.secondary)
	if !m.Has(field) || field == 128 && m.Has(64) {
		return false
	}
	mac := k.sum(frame[:len(frame)-macLen])
	return subtle.ConstantTimeCompare(mac[:], frame[len(frame)-macLen:]) == 1
}

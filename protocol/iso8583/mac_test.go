package iso8583

import (
	"crypto/aes"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

func unhexed(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// TestCMACVectors are the examples of RFC 4493, section 4, and of NIST SP
// 800-38B for the longer keys.
func TestCMACVectors(t *testing.T) {
	const m = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51" +
		"30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
	const k128 = "2b7e151628aed2a6abf7158809cf4f3c"
	const k192 = "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"
	const k256 = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
	for _, c := range []struct {
		key  string
		size int
		want string
	}{
		{k128, 0, "bb1d6929e95937287fa37d129b756746"},
		{k128, 16, "070a16b46b4d4144f79bdd9dd04a287c"},
		{k128, 40, "dfa66747de9ae63030ca32611497c827"},
		{k128, 64, "51f0bebf7e3b9d92fc49741779363cfe"},
		{k192, 0, "d17ddf46adaacde531cac483de7a9367"},
		{k192, 16, "9e99a7bf31e710900662f65e617c5184"},
		{k192, 40, "8a1de5be2eb31aad089a82e6ee908b0e"},
		{k192, 64, "a1d5df0eed790f794d77589659f39a11"},
		{k256, 0, "028962f61b7bf89efc6b551f4667d983"},
		{k256, 16, "28a7023f452e8f82bd4bf28d8c37c35c"},
		{k256, 40, "aaf3d8f1de5640c232f5b169b9c911e6"},
		{k256, 64, "e1992190549f6ed5696a2c056c315410"},
	} {
		k, err := NewKey(1, unhexed(t, c.key))
		require.NoError(t, err)
		var mac [aes.BlockSize]byte
		k.cmac(&mac, unhexed(t, m)[:c.size])
		require.Equal(t, c.want, hex.EncodeToString(mac[:]))
		short := k.sum(unhexed(t, m)[:c.size])
		require.Equal(t, c.want[:16], hex.EncodeToString(short[:]))
	}
	// The subkeys of RFC 4493, section 4.
	k, err := NewKey(1, unhexed(t, k128))
	require.NoError(t, err)
	require.Equal(t, "fbeed618357133667c85e08f7236a8de", hex.EncodeToString(k.k1[:]))
	require.Equal(t, "f7ddac306ae266ccf90bc11ee46d513b", hex.EncodeToString(k.k2[:]))
}

func testKeys(t testing.TB) (first, second, foreign *Key, ring *Keyring) {
	key := func(number uint64, fill byte) *Key {
		material := make([]byte, 16)
		material[0] = fill
		k, err := NewKey(number, material)
		require.NoError(t, err)
		return k
	}
	first, second, foreign = key(7, 1), key(8, 2), key(7, 3)
	ring, err := NewKeyring(map[string][]*Key{"T0001": {first, second}, "T0002": {foreign}})
	require.NoError(t, err)
	return first, second, foreign, ring
}

func TestSignedMessages(t *testing.T) {
	first, second, foreign, ring := testKeys(t)
	for name, profile := range profiles {
		c := NewCodec(profile)
		for _, s := range samples {
			t.Run(name+"/"+s.name, func(t *testing.T) {
				for _, k := range []*Key{first, second} {
					m := NewMessage(c)
					s.build(t, m)
					require.NoError(t, m.Set(64, "an older")) // signing puts its own in place of any
					frame := c.AppendSigned(nil, m, k)
					compare(t, c, profile.MessageSpec(), frame)
					got := NewMessage(c)
					require.Equal(t, Fault{}, c.Decode(frame, got))
					require.NotEqual(t, got.Has(64), got.Has(128), "one of them")
					require.Equal(t, got.secondary, got.Has(128))
					used, err := ring.Verify(frame, got)
					require.NoError(t, err)
					require.Same(t, k, used)
				}
				m := NewMessage(c)
				s.build(t, m)
				frame := c.AppendSigned(nil, m, foreign)
				require.Equal(t, Fault{}, c.Decode(frame, m))
				_, err := ring.Verify(frame, m)
				require.ErrorIs(t, err, ErrBadMAC)
			})
		}
	}
}

// TestEveryByteIsAuthenticated: no bit of a signed message can change.
func TestEveryByteIsAuthenticated(t *testing.T) {
	first, _, _, ring := testKeys(t)
	c := NewCodec(Profile{})
	for _, name := range []string{"0100 authorize", "0500 shift totals"} {
		m := NewMessage(c)
		sampleNamed(t, name).build(t, m)
		frame := c.AppendSigned(nil, m, first)
		for i := range frame {
			frame[i] ^= 1
			if c.Decode(frame, m).OK() {
				_, err := ring.Verify(frame, m)
				require.Error(t, err, "byte %d of %s", i, name)
			}
			frame[i] ^= 1
		}
	}
}

func TestRefusedAuthentication(t *testing.T) {
	first, _, _, ring := testKeys(t)
	c := NewCodec(Profile{})
	verify := func(change func(m *Message)) error {
		m := NewMessage(c)
		sampleNamed(t, "0100 authorize").build(t, m)
		change(m)
		frame := c.AppendMessage(nil, m)
		require.Equal(t, Fault{}, c.Decode(frame, m))
		_, err := ring.Verify(frame, m)
		return err
	}
	put := func(m *Message, field int, value string) { require.NoError(t, m.Set(field, value)) }
	require.ErrorIs(t, verify(func(m *Message) {}), ErrNoMAC)
	require.ErrorIs(t, verify(func(m *Message) { put(m, 64, "12345678") }), ErrBadMAC)
	require.ErrorIs(t, verify(func(m *Message) { put(m, 53, "9"); put(m, 64, "12345678") }), ErrNoKey)
	require.ErrorIs(t, verify(func(m *Message) { put(m, 41, "T9999"); put(m, 64, "12345678") }), ErrNoKey)
	require.ErrorIs(t, verify(func(m *Message) { put(m, 64, "12345678"); put(m, 128, "12345678") }), ErrBadMAC)

	// A MAC in DE64 where a secondary bitmap calls for DE128.
	m := NewMessage(c)
	sampleNamed(t, "0801 echo").build(t, m)
	put(m, 64, "12345678")
	frame := c.AppendMessage(nil, m)
	require.Equal(t, Fault{}, c.Decode(frame, m))
	_, err := ring.Verify(frame, m)
	require.ErrorIs(t, err, ErrBadMAC)

	// A right MAC in DE128, but another one in DE64: which is meant?
	sampleNamed(t, "0801 echo").build(t, m)
	put(m, 53, "7")
	put(m, 64, "12345678")
	put(m, 128, "12345678")
	frame = c.AppendMessage(nil, m)
	mac := first.sum(frame[:len(frame)-macLen])
	copy(frame[len(frame)-macLen:], mac[:])
	require.Equal(t, Fault{}, c.Decode(frame, m))
	_, err = ring.Verify(frame, m)
	require.ErrorIs(t, err, ErrBadMAC)

	// Without DE53 each live key is tried.
	m.Reset(c)
	sampleNamed(t, "0801 echo").build(t, m)
	frame = c.AppendSigned(nil, m, first)
	require.Equal(t, Fault{}, c.Decode(frame, m))
	m.Unset(53)
	k, err := ring.Verify(frame, m)
	require.NoError(t, err)
	require.Same(t, first, k)
}

// TestAnswersAreSigned with the key that the request used.
func TestAnswersAreSigned(t *testing.T) {
	_, second, _, ring := testKeys(t)
	x, _ := read(t, Profile{}, sampleNamed(t, "0100 authorize").build)
	approve(x)
	c := NewCodec(Profile{})
	m := NewMessage(c)
	frame := c.AppendAnswer(nil, m, &x.Request, &x.Response, second)
	require.Equal(t, Fault{}, c.Decode(frame, m))
	require.Equal(t, "0000000000000008", m.Text(53))
	k, err := ring.Verify(frame, m)
	require.NoError(t, err)
	require.Same(t, second, k)
}

func TestKeyring(t *testing.T) {
	first, second, foreign, ring := testKeys(t)
	require.Same(t, first, ring.Signer("T0001"))
	require.Same(t, foreign, ring.Signer("T0002"))
	require.Nil(t, ring.Signer("T0003"))
	_, err := NewKeyring(map[string][]*Key{"T": {first, second, foreign}})
	require.ErrorContains(t, err, "one or two may be live")
	_, err = NewKeyring(map[string][]*Key{"T": {}})
	require.ErrorContains(t, err, "one or two may be live")
	_, err = NewKeyring(map[string][]*Key{"T": {first, foreign}})
	require.ErrorContains(t, err, "numbered 7")
	_, err = NewKey(1, make([]byte, 15))
	require.ErrorContains(t, err, "16, 24 or 32 bytes")
	_, err = NewKey(1e16, make([]byte, 16))
	require.ErrorContains(t, err, "16 digits")
}

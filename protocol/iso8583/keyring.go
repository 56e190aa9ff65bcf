package iso8583

import (
	"errors"
	"fmt"
	"strconv"
)

// liveKeys is how many keys a terminal may have at once: the one in use and
// the one it changes to.
const liveKeys = 2

// Errors of a message's authentication. All of them are DE39 63; which one it
// was is for the log, not for the peer.
var (
	ErrNoMAC  = errors.New("iso8583: the message carries no MAC")
	ErrNoKey  = errors.New("iso8583: the terminal has no such key")
	ErrBadMAC = errors.New("iso8583: the MAC does not match")
)

// Keyring holds the terminals' MAC keys. It is immutable: to change a key the
// caller builds another ring and swaps the pointer.
type Keyring struct {
	terminals map[string][]*Key
}

// NewKeyring takes up to two keys for each terminal, the one to sign with
// first. The numbers of a terminal's keys differ.
func NewKeyring(terminals map[string][]*Key) (*Keyring, error) {
	ring := &Keyring{terminals: make(map[string][]*Key, len(terminals))}
	for terminal, keys := range terminals {
		if len(keys) == 0 || len(keys) > liveKeys {
			return nil, fmt.Errorf("terminal %q has %d MAC keys: one or two may be live", terminal, len(keys))
		}
		if len(keys) == liveKeys && keys[0].Number == keys[1].Number {
			return nil, fmt.Errorf("terminal %q has two MAC keys numbered %d", terminal, keys[0].Number)
		}
		ring.terminals[terminal] = append([]*Key(nil), keys...)
	}
	return ring, nil
}

// Signer is the key to sign with for a terminal when no request says which;
// nil when the terminal has none.
func (r *Keyring) Signer(terminal string) *Key {
	if keys := r.terminals[terminal]; len(keys) > 0 {
		return keys[0]
	}
	return nil
}

// Verify checks a frame that was decoded into m without a fault, and returns
// the key that the answer is to be signed with: the one that the request used.
// Without DE53 each live key of the terminal is tried. The comparison takes
// the same time wherever the MACs differ.
func (r *Keyring) Verify(frame []byte, m *Message) (*Key, error) {
	if !m.Has(64) && !m.Has(128) {
		return nil, ErrNoMAC
	}
	keys := r.terminals[string(m.Get(41))]
	if number := m.Get(53); len(number) > 0 {
		wanted, _ := strconv.ParseUint(string(number), 10, 64)
		for _, k := range keys {
			if k.Number == wanted {
				return k.check(frame, m)
			}
		}
		return nil, ErrNoKey
	}
	for _, k := range keys {
		if k.verify(frame, m) {
			return k, nil
		}
	}
	if len(keys) == 0 {
		return nil, ErrNoKey
	}
	return nil, ErrBadMAC
}

func (k *Key) check(frame []byte, m *Message) (*Key, error) {
	if !k.verify(frame, m) {
		return nil, ErrBadMAC
	}
	return k, nil
}

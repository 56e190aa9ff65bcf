package gateway

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tillgate/protocol"
)

// Key is an API key as it is configured. The secret itself is kept nowhere:
// Hash is the SHA-256 of it, in hex. The secret has 256 random bits, so a
// plain hash is enough; there is nothing to guess that a slow one would guard.
type Key struct {
	Name      string   `key:"name" help:"what logs and the journal call it; 1 to 64 letters, digits, - _ ."`
	Hash      string   `key:"hash" help:"SHA-256 of the secret, 64 hex digits"`
	Also      string   `key:"also" help:"SHA-256 of a second secret that is good too, while one takes the place of the other"`
	Role      string   `key:"role" help:"till, checkout, finance, marketing, support or admin"`
	Merchant  string   `key:"merchant" help:"the merchant whose members and programme it sees"`
	Stores    []string `key:"stores" help:"stores it may name; empty: any"`
	Terminals []string `key:"terminals" help:"terminals it may name; empty: any"`
}

// keyPrefix makes a leaked secret recognisable to scanners.
const keyPrefix = "tg_"

// NewKey draws a secret and returns it with its hash. The secret is to be
// shown once and kept nowhere.
func NewKey() (secret, hash string) {
	var random [32]byte
	rand.Read(random[:])
	secret = keyPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	sum := sha256.Sum256([]byte(secret))
	return secret, hex.EncodeToString(sum[:])
}

// roleNames are the roles as documents and keys write them.
var roleNames = map[string]protocol.Role{
	"till":      protocol.RoleTill,
	"checkout":  protocol.RoleCheckout,
	"finance":   protocol.RoleFinance,
	"marketing": protocol.RoleMarketing,
	"support":   protocol.RoleSupport,
	"admin":     protocol.RoleAdmin,
}

// credential is a key made ready for the hot path.
type credential struct {
	hash      [sha256.Size]byte
	caller    protocol.Caller
	stores    []string
	terminals []string
}

// keyring finds the key of a secret.
type keyring struct {
	byPrefix map[[8]byte][]*credential
	open     *credential // no keys are configured: the caller has every role
}

func newKeyring(keys []Key) *keyring {
	r := &keyring{byPrefix: make(map[[8]byte][]*credential, len(keys))}
	if len(keys) == 0 {
		r.open = &credential{caller: protocol.Caller{Role: protocol.RoleAny}}
		return r
	}
	for _, k := range keys {
		c := &credential{
			caller: protocol.Caller{Key: k.Name, Merchant: k.Merchant, Role: roleNames[k.Role]},
			stores: k.Stores, terminals: k.Terminals,
		}
		// A second secret is the same caller: repeats of what was asked with
		// the one are known when they come with the other.
		for _, digits := range []string{k.Hash, k.Also} {
			if digits == "" {
				continue
			}
			c := *c
			_, _ = hex.Decode(c.hash[:], []byte(digits)) // Validate has checked it
			prefix := [8]byte(c.hash[:8])
			r.byPrefix[prefix] = append(r.byPrefix[prefix], &c)
		}
	}
	return r
}

// find returns the key of a secret, nil if there is none. What is compared is
// the hash, in constant time; the map is entered by a part of the hash, from
// which nothing about the secret can be learnt.
func (r *keyring) find(secret []byte) *credential {
	if r.open != nil {
		return r.open
	}
	sum := sha256.Sum256(secret)
	for _, c := range r.byPrefix[[8]byte(sum[:8])] {
		if subtle.ConstantTimeCompare(sum[:], c.hash[:]) == 1 {
			return c
		}
	}
	return nil
}

// bearer is the secret in an Authorization header, nil if it holds none.
func bearer(header []byte) []byte {
	const scheme = "bearer "
	if len(header) <= len(scheme) {
		return nil
	}
	for i := range len(scheme) {
		c := header[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != scheme[i] {
			return nil
		}
	}
	return header[len(scheme):]
}

// place holds a request to the stores and terminals that the key is bound to.
// A place that is not named is filled in where the key leaves no choice, and
// demanded where the call must have one.
func (c *credential) place(r *protocol.Request) *protocol.Refusal {
	if bad := bindPlace(c.stores, &r.Store, "store", named(r.Call)); bad != nil {
		return bad
	}
	return bindPlace(c.terminals, &r.Terminal, "terminal", named(r.Call))
}

func bindPlace(allowed []string, place *string, field string, demanded bool) *protocol.Refusal {
	switch {
	case len(allowed) == 0:
		return nil
	case *place != "":
		if slices.Contains(allowed, *place) {
			return nil
		}
		return &protocol.Refusal{Code: protocol.Forbidden, Field: field, Detail: "the key is not bound to this " + field}
	case !demanded:
		return nil
	case len(allowed) == 1:
		*place = allowed[0]
		return nil
	}
	return &protocol.Refusal{Code: protocol.Forbidden, Field: field, Detail: "the key is bound to several: the request must name its " + field}
}

// named reports the calls that happen at a place, so that a key bound to
// places must say at which. Confirming and voiding are not among them: any
// terminal of the merchant may, if it knows the hold's id.
func named(call protocol.Call) bool {
	switch call {
	case protocol.CallQuote, protocol.CallAuthorize, protocol.CallAccrue, protocol.CallRedeem,
		protocol.CallReturn, protocol.CallReverse, protocol.CallCloseShift:
		return true
	}
	return false
}

// validateKeys says what is wrong with the configured keys.
func (o *Options) validateKeys() error {
	var faults []error
	seen := map[string]bool{}
	for i, k := range o.Keys {
		path := fmt.Sprintf("keys[%d]", i)
		if !validName(k.Name) {
			faults = append(faults, fmt.Errorf("%s.name: 1 to 64 letters, digits, '-', '_' or '.' are wanted", path))
		}
		if raw, err := hex.DecodeString(k.Hash); err != nil || len(raw) != sha256.Size {
			faults = append(faults, fmt.Errorf("%s.hash: the SHA-256 of the secret is wanted, 64 hex digits, as 'tillgate key' prints it", path))
		}
		if _, ok := roleNames[k.Role]; !ok {
			faults = append(faults, fmt.Errorf("%s.role: till, checkout, finance, marketing, support or admin is wanted", path))
		}
		if raw, err := hex.DecodeString(k.Also); k.Also != "" && (err != nil || len(raw) != sha256.Size) {
			faults = append(faults, fmt.Errorf("%s.also: the SHA-256 of a secret is wanted, 64 hex digits, or nothing", path))
		}
		if seen[k.Name] || seen["#"+k.Hash] || k.Also != "" && (seen["#"+k.Also] || strings.EqualFold(k.Also, k.Hash)) {
			faults = append(faults, fmt.Errorf("%s: another key has the same name or hash", path))
		}
		seen[k.Name], seen["#"+k.Hash] = true, true
		if k.Also != "" {
			seen["#"+k.Also] = true
		}
	}
	return errors.Join(faults...)
}

func validName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

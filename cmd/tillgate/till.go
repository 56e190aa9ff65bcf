package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"tillgate/gateway"
	"tillgate/protocol/iso8583"
)

func init() {
	register(command{"till", "a small till on the command line, over ISO 8583", tillCommand})
}

const aboutTill = `
A till for trying out, teaching and testing. It sends one ISO 8583 message and
prints both messages field by field, with everything secret masked. Its
counters, open holds and shift totals are kept in a small file.

actions:
  sign-on, sign-off, echo      network management (0800)
  balance                      what a member has (0100, DE3 30)
  authorize                    hold points and fix the price (0100)
  confirm [ID]                 book a hold (0220); without an ID the newest
  void [ID]                    release a hold (0400 naming it)
  accrue                       earn in one step (0200, DE3 00)
  redeem                       spend in one step (0200, DE3 17)
  return [ID]                  give back a sale: all, --amount or --back (0200, DE3 20)
  reverse [STAN]               undo a message, by default the last (0400 with DE90)
  shift-close                  compare the shift's totals (0500); equal ones begin the next shift

a morning:
  tillgate till sign-on
  tillgate till accrue --phone +77011234567 --total 2600
  tillgate till authorize --card 2200111122223333 --total 1300 --redeem 650
  tillgate till confirm
  tillgate till shift-close
`

// tillFlags is what a till is told.
type tillFlags struct {
	address, terminal, store, state  string
	phone, card, code, member, email string
	total, redeem, amount            string
	partial                          bool
	lines, back, promo               []string
	receipt, cashier, channel        string
	tender, currency, key            string
	profile                          gateway.Profile
	secure                           bool
	ca, cert, certKey                string
	mac                              string
	macNumber                        uint64
	timeout                          time.Duration
	zone                             string
	quiet                            bool
}

func (f *tillFlags) bind(fs *pflag.FlagSet) {
	fs.StringVar(&f.address, "iso", envOr("TILLGATE_ISO", "127.0.0.1:8583"), "address of the server's ISO 8583 listener")
	fs.StringVar(&f.terminal, "terminal", "T0001", "terminal (DE41)")
	fs.StringVar(&f.store, "store", "S01", "store (DE42)")
	fs.StringVar(&f.phone, "phone", "", "member by phone number, like +77011234567")
	fs.StringVar(&f.card, "card", "", "member by card number")
	fs.StringVar(&f.code, "code", "", "member by six-digit one-time code")
	fs.StringVar(&f.member, "member", "", "member by id")
	fs.StringVar(&f.email, "email", "", "member by e-mail address")
	fs.StringVar(&f.total, "total", "", "the receipt's total before discounts, like 1300.00")
	fs.StringArrayVar(&f.lines, "line", nil, "a line as sku,category,quantity,price (repeatable); the total is their sum")
	fs.StringVar(&f.redeem, "redeem", "", "points to spend, like 650.00, or max")
	fs.BoolVar(&f.partial, "partial", false, "fewer points are fine")
	fs.StringVar(&f.amount, "amount", "", "what is returned, money and points together")
	fs.StringArrayVar(&f.back, "back", nil, "a returned line as id or id,quantity (repeatable)")
	fs.StringArrayVar(&f.promo, "promo", nil, "promo code (repeatable)")
	fs.StringVar(&f.receipt, "receipt", "", "receipt number; by default the next")
	fs.StringVar(&f.cashier, "cashier", "", "cashier")
	fs.StringVar(&f.channel, "channel", "", "channel")
	fs.StringVar(&f.tender, "tender", "", "how the money part is paid")
	fs.StringVar(&f.currency, "currency", "398", "currency (DE49), ISO 4217 number")
	fs.StringVar(&f.key, "key", "", "idempotency id (DE48 06)")
	fs.StringVar(&f.zone, "timezone", "Local", "time zone of the till's clock, like Asia/Almaty")
	fs.StringVar(&f.state, "state", "", "file of the till's counters; by default one for each terminal in the user's cache directory")
	fs.StringVar(&f.profile.Length, "length", "binary", "frame length: binary, ascii or bcd")
	fs.BoolVar(&f.profile.TPDU, "tpdu", false, "a TPDU stands before each message")
	fs.BoolVar(&f.profile.BCD, "bcd", false, "numbers are packed")
	fs.BoolVar(&f.profile.HexBitmap, "hex-bitmap", false, "bitmaps are hex digits")
	fs.BoolVar(&f.profile.LongBasket, "long-basket", false, "DE62 has a four-digit length")
	fs.BoolVar(&f.secure, "tls", false, "connect by TLS")
	fs.StringVar(&f.ca, "ca", "", "authority (PEM) of the server's certificate, where the system doesn't know it")
	fs.StringVar(&f.cert, "cert", "", "client certificate (PEM)")
	fs.StringVar(&f.certKey, "cert-key", "", "private key (PEM) of the client certificate")
	fs.StringVar(&f.mac, "mac-file", "", "file with the terminal's MAC key in hex")
	fs.Uint64Var(&f.macNumber, "mac-number", 1, "number of the MAC key (DE53)")
	fs.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long to wait for an answer")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "print the outcome only, not the messages")
}

func envOr(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// till is one till at work: its line and its memory.
type till struct {
	*tillLine
	terminal, store, currency string
	state                     *tillState
	clock                     func() time.Time
}

// tillCommand runs one action of a till.
func tillCommand(_ context.Context, c *console, args []string) error {
	fs := newFlags(c, "till", "ACTION [ID] [flags]", aboutTill)
	var f tillFlags
	f.bind(fs)
	if err := parse(fs, args, 1, 2); err != nil {
		return err
	}
	act, ok := tillActions[fs.Arg(0)]
	if !ok {
		return usagef("there is no action %q; there are %s", fs.Arg(0), strings.Join(actionNames(), ", "))
	}
	if fs.NArg() == 2 && !act.takesID {
		return usagef("%s takes no %q", fs.Arg(0), fs.Arg(1))
	}
	t, file, err := f.till(c.out)
	if err != nil {
		return err
	}
	defer t.close()
	outcome, err := act.run(t, &f, fs.Arg(1))
	// The counters are kept whatever came: a STAN is never used twice.
	if kept := t.state.save(file); err == nil {
		err = kept
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(c.out, outcome)
	return nil
}

func actionNames() []string {
	var names []string
	for name := range tillActions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// till makes the till that the flags describe.
func (f *tillFlags) till(trace io.Writer) (t *till, file string, err error) {
	profile, err := f.profile.Compile()
	if err != nil {
		return nil, "", usagef("--%s", err)
	}
	line := &tillLine{address: f.address, profile: profile, timeout: f.timeout, trace: trace}
	if f.quiet {
		line.trace = nil
	}
	if f.secure {
		if line.tls, err = tlsFiles(f.ca, f.cert, f.certKey); err != nil {
			return nil, "", err
		}
		line.tls.ServerName, _, _ = strings.Cut(f.address, ":")
	}
	if f.mac != "" {
		if line.key, err = readMACKey(f.mac, f.macNumber); err != nil {
			return nil, "", err
		}
	}
	if file = f.state; file == "" {
		if file, err = defaultState(f.terminal); err != nil {
			return nil, "", err
		}
	}
	zone, err := time.LoadLocation(f.zone)
	if err != nil {
		return nil, "", usagef("--timezone: %q is not a time zone; one looks like Asia/Almaty", f.zone)
	}
	clock := func() time.Time { return time.Now().In(zone) }
	t = &till{tillLine: line, terminal: f.terminal, store: f.store, currency: f.currency, clock: clock}
	t.state, err = loadState(file)
	return t, file, err
}

// readMACKey reads a key from a file: a secret on a command line would stand
// in everybody's list of processes.
func readMACKey(file string, number uint64) (*iso8583.Key, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--mac-file: %w", err)
	}
	material, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil {
		return nil, fmt.Errorf("--mac-file: %s doesn't hold a key in hex", file)
	}
	return iso8583.NewKey(number, material)
}

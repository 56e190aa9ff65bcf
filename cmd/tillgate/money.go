package main

import (
	"crypto/x509"
	"fmt"
	"strconv"
	"strings"
)

// parseMoney reads an amount as people write it, 1300 or 1300.50, in minor
// units.
func parseMoney(s string) (int64, error) {
	whole, cents, dot := strings.Cut(s, ".")
	if dot && len(cents) == 1 {
		cents += "0"
	}
	if whole == "" || dot && len(cents) != 2 {
		return 0, fmt.Errorf("%q is no amount; one looks like 1300 or 1300.50", s)
	}
	n, err := strconv.ParseUint(whole+cents, 10, 62)
	if err != nil {
		return 0, fmt.Errorf("%q is no amount; one looks like 1300 or 1300.50", s)
	}
	if !dot {
		n *= 100
	}
	if n > 999_999_999_999 {
		return 0, fmt.Errorf("%q is more than DE4 holds", s)
	}
	return int64(n), nil
}

// money writes minor units as people read them.
func money(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}

func poolOf(pem []byte) *x509.CertPool {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil
	}
	return pool
}

package processor

import (
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// tellPromo tells what became of a promo code. A coupon's code is made under
// the store's own key, so that no two tests have the same.
func tellPromo(p protocol.PromoResult) string {
	code := p.Code
	if len(couponForm(code)) == couponSize {
		code = "of a coupon"
	}
	s := "code " + code
	if p.Refused != "" {
		return s + " refused: " + p.Refused
	}
	if p.Points != 0 || p.Discount == 0 && p.Tier == "" {
		s += ", points " + decimal(p.Points)
	}
	if p.Discount != 0 {
		s += ", off " + decimal(p.Discount)
	}
	if p.Tier != "" {
		s += ", tier " + p.Tier
	}
	return s
}

// codes reads promo codes: SUMMER,march#7 where march#7 is a coupon.
func (d *day) codes(v string) (list []string) {
	for _, one := range strings.Split(v, ",") {
		if series, n, coupon := strings.Cut(one, "#"); coupon {
			number, err := strconv.ParseInt(n, 10, 64)
			require.NoError(d.t, err)
			one = d.s.couponCode("", series, number)
		}
		list = append(list, one)
	}
	return list
}

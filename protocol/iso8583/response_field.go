package iso8583

import "strings"

// jsonFields says which field of a message holds what a JSON body calls by
// name: checks that both edges share name the JSON field. The longest prefix
// wins.
var jsonFields = map[string]string{
	"terminal": "41", "store": "42", "at": "12", "total": "4", "amount": "4", "basket": "4", "basket.lines": "62",
	"lines": "62", "redeemed": "61", "payable": "61", "member": "48", "redeem": "48", "promo_codes": "48",
	"cashier": "48", "channel": "48", "receipt": "48", "receipt.shift": "60", "shift": "60", "store_group": "48",
	"payments": "48", "idempotency_key": "48", "authorization": "37", "id": "37", "totals": "97", "currency": "49",
	"totals.sales": "86", "totals.returns": "87", "totals.redeemed": "88", "totals.given_back": "89",
	"totals.sales.count": "74", "totals.returns.count": "75", "totals.redeemed.count": "76", "totals.given_back.count": "77",
	"totals.net": "97",
}

// fieldNumber is DE44 of a format error: the number of the refused field, ""
// when it has none.
func fieldNumber(name string) string {
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return name
	}
	for {
		if number, ok := jsonFields[name]; ok {
			return number
		}
		end := strings.LastIndexAny(name, ".[")
		if end < 0 {
			return ""
		}
		name = name[:end]
	}
}

package protocol

// Bounds of a request's fields, the same on both edges; lengths are bytes of
// UTF-8. Each says why that number. docs/protocol.md lists them.
const (
	// MaxAmount is the largest amount of money or points in minor units: what
	// DE4's twelve digits hold. 500 lines of it still fit int64.
	MaxAmount = 999_999_999_999
	// MaxQuantity is the largest quantity of a line in thousandths: a million
	// pieces, more than any shelf holds, and with MaxAmount within 128 bits.
	MaxQuantity = 1_000_000_000

	MaxLines      = 500 // the largest baskets of a cash-and-carry have some 300 lines
	MaxPayments   = 16  // ways in which one receipt is paid
	MaxPromoCodes = 10  // codes on one receipt; each costs a look-up
	MaxLineTags   = 16  // tags of one line or product
	MaxMemberTags = 32  // tags of one member
	MaxConsents   = 16  // kinds of consent
	// MaxDirectory is the rows of one directory call: the assortment of a
	// supermarket chain in one. Rows merge, so a longer list is sent in parts.
	MaxDirectory = 100_000
	// MaxDirectoryBody is the largest body of a directory call in bytes: rows
	// of 335 bytes, which are twice those of an ordinary product.
	MaxDirectoryBody = 32 << 20
	MaxCoupons       = 10_000 // coupons of one batch: a mailing of a small town
	MaxCardBatch     = 10_000 // cards of one batch: a carton of printed ones

	maxTerminal   = 32 // DE41 has 8
	maxStore      = 32 // DE42 has 15
	maxCashier    = 32
	maxWord       = 32 // channel, store group, tender, kinds, states
	maxReceipt    = 32 // fiscal numbers have up to 20 digits
	maxShift      = 16
	maxTarget     = 32 // an id or a card number in a path
	maxLineID     = 32
	maxSKU        = 64  // GTIN has 14; some shops use their own composed codes
	maxCategory   = 64  // category, brand, supplier
	maxName       = 128 // a product's or a person's name
	maxTag        = 32
	maxPromoCode  = 32
	maxReason     = 256
	maxEvent      = 64
	maxTier       = 64
	maxExternalID = 64
	maxTimezone   = 64
	maxSeries     = 64 // of coupons: a name of the programme
	maxPattern    = 64 // a card number's 32 characters, with spaces for the eye

	// maxHoldSeconds is thirty days; a programme's holds.max is usually hours.
	maxHoldSeconds = 30 * 24 * 3600
	// maxCount bounds a shift's counts: DE74's ten digits.
	maxCount = 9_999_999_999
	// maxTotal bounds a shift's totals: DE86's sixteen digits.
	maxTotal = 9_999_999_999_999_999
	// The years of a birthday.
	minBirthYear, maxBirthYear = 1900, 2100
)

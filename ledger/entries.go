package ledger

// ShiftEntry is one operation of a till's shift, for the matching of its
// totals: money in minor units, signs as in the operation's own figures.
type ShiftEntry struct {
	Op      OpID
	Sale    OpID // the sale it books or is about; 0 for none
	Kind    Kind
	Undoes  Kind // of a reversal: the kind of what it undoes
	Time    int64
	At      int64
	Receipt string
	Status  string
	Flags   []string

	Total, Discount, Redeemed, Payable int64
	Points, Earned                     int64 // points
}

// Parked is a message that could not be booked by itself and waits for the
// office. All it said is in the journal record ID.
type Parked struct {
	ID      OpID
	Account AccountID // 0 if nobody's
	Parent  OpID      // the hold it was about; 0 if none is known
	Time    int64     // since when it waits, unix ns
	At      int64     // business date, unix ns

	Merchant, Terminal, Store, Receipt, Shift, Detail string

	Total, Redeemed, Payable int64 // as the message said, minor units of money
	// Points are, of an adjustment, what it would grant or charge; of a transfer
	// between members, what is on its way; of a sale, the points it redeems.
	Points int64
}

// Window is the seal over a run of journal records of one partition: what
// [KindWindow] carries in its Data.
type Window struct {
	First, Last uint64 // sequences, both in the window
	Legs        [LegCount]int64
	// Hash is SHA-256 over the last window's Hash (zeros for the first) and
	// each record with its length in front as four big-endian bytes. The last
	// window's own record is the first record of this one.
	Hash [32]byte
}

// Count is the number of records in the window.
func (w *Window) Count() uint64 { return w.Last - w.First + 1 }

// code is a one-time code: whose it is and until when it lives.
type code struct {
	account AccountID
	until   int64
}

// watermark is the newest transfer of one source partition that a receiving
// partition has booked.
type watermark struct {
	op    OpID
	index uint16
}

// Program is one version of a merchant's programme document.
type Program struct {
	Merchant  string
	Version   uint32
	From      int64 // in force from, unix ns; 0 means from Published
	Published int64 // unix ns
	Actor     string
	Doc       []byte
}

// DirectoryRow is a row of a merchant's directory: a product, a store, a
// cashier. Data is the caller's.
type DirectoryRow struct {
	ID   string
	Data []byte
}

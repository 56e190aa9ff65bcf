package config

// descriptions explain the keys of components that carry no tags of their
// own, by path. An entry also makes the field a key: what is not here (hooks,
// clocks, loggers) can't be configured.
var descriptions = map[string]string{
	"ledger.partitions":           "partitions of a new ledger, fixed when it is created",
	"ledger.shards":               "event loops; 0: one for every two processors",
	"ledger.queue":                "requests that may wait before a shard; more are shed",
	"ledger.drain":                "requests that one synced batch may hold",
	"ledger.in_flight":            "batches of a shard that may wait for their sync",
	"ledger.cache_bytes":          "size of the block cache",
	"ledger.mem_table_bytes":      "size of a memtable; at most four of them are read again after a crash",
	"ledger.hot_accounts":         "decoded accounts kept in memory, counted in KiB",
	"ledger.record_cache_bytes":   "room for accounts as they are stored; negative: none",
	"ledger.warm_up":              "read accounts and identifiers into memory after the start, while there is room",
	"ledger.link_cache":           "identifiers (phone numbers, cards) whose members are kept in memory; negative: none",
	"ledger.dup_filter_bytes":     "memory of the filter that tells new requests from repeated ones; negative: none",
	"ledger.receipt_filter_bytes": "memory of the filter that tells new receipts from known ones; negative: none",
	"ledger.min_free_disk":        "free bytes of disk below which nothing is accepted any more; negative: no such check",
	"ledger.window_records":       "records after which a window of the journal is sealed",
	"ledger.window_age":           "time after which a window of the journal is sealed",
	"ledger.retention.duplicates": "how long a repeated request is known at least; a programme with a long backdate makes it longer",
	"ledger.retention.journal":    "how long journal records are kept at least; never less than twice duplicates and a day",
	"ledger.retention.sales":      "how long a sale can be returned and looked up at least; not longer than journal",
	"ledger.max_dups":             "requests remembered under one duplicate key",
	"ledger.sweep_every":          "how often what falls due is looked for",

	"processor.clock_skew":       "how far an online request's time may be off the server's before the server's is taken",
	"processor.code_attempts":    "wrong one-time codes that a terminal may send within 15 minutes",
	"processor.waiting":          "requests that may wait behind another one with the same key; more are shed",
	"processor.holds_per_member": "pending holds of one member",
	"processor.adjust_limit":     "largest adjustment, in hundredths of a point, that one person may make alone; 0: none",
}

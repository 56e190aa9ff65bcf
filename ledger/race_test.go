//go:build race

package ledger

// underRace: the race detector makes pools forget, so allocations tell nothing.
const underRace = true

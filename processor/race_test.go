//go:build race

package processor

// underRace: the race detector makes pools forget, so allocations tell nothing.
const underRace = true

//go:build race

package gateway

// underRace: the race detector makes pools forget, so allocations tell nothing.
const underRace = true

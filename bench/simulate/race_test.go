//go:build race

package simulate

// underRace: the race detector lets goroutines run in a random order on purpose,
// so that a seed does not play the same twice.
const underRace = true

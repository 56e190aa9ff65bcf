package program

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the expected lines of testdata/*.txt")

// TestScenarios plays testdata/*.txt. A file reads as a cashier would tell it:
//
//	== E1 percent of the purchase       begins a scenario; ids come first
//	# a remark
//	programme:                          an indented document follows
//	member card, 1000.00 points         who buys (see teller.member)
//	store S1, group north               where (see teller.store)
//	on 2026-11-20 12:31                 when, in the store's zone
//	counting                            from here on the account keeps counters
//	sells 700.00 coffee + 600.00 cake   what, and what is wanted (see teller.sell)
//	> earns 65.00                       what comes of it; -update writes these
//
// A programme without a name and a currency gets them from the test.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) { playFile(t, f) })
	}
}

func playFile(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var out strings.Builder
	tell := newTeller()
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	for i := 0; i < len(lines); {
		line := lines[i]
		i++
		if strings.HasPrefix(line, ">") {
			continue // said anew below
		}
		out.WriteString(line + "\n")
		var doc []string
		for line == "programme:" && i < len(lines) && (strings.HasPrefix(lines[i], " ") || lines[i] == "" && i+1 < len(lines) && strings.HasPrefix(lines[i+1], " ")) {
			doc = append(doc, lines[i])
			out.WriteString(lines[i] + "\n")
			i++
		}
		for _, said := range tell.play(line, doc) {
			out.WriteString("> " + said + "\n")
		}
	}
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(out.String()), 0o644))
		return
	}
	require.Equal(t, string(text), out.String(), "run with -update and read the difference")
}

var headForm = regexp.MustCompile(`(?m)^== ((?:[A-Z]\d+ )+)`)

// scenarioIDs are the ids that have a scenario, with the number of them.
func scenarioIDs(t *testing.T) map[string]int {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	ids := map[string]int{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range headForm.FindAllStringSubmatch(string(text), -1) {
			for _, id := range strings.Fields(m[1]) {
				ids[id]++
			}
		}
	}
	return ids
}

// play says what comes of one line.
func (t *teller) play(line string, doc []string) []string {
	verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch verb {
	case "", "#":
		return nil
	case "==":
		*t = *newTeller()
		return nil
	case "programme:":
		return t.programme(strings.Join(doc, "\n"))
	case "counting":
		t.counting = true
	case "member":
		t.member(rest)
	case "store":
		t.store(rest)
	case "on":
		t.at = t.moment(rest)
	case "server":
		t.facts.Now = t.moment(rest)
	case "sells":
		return t.sell(rest)
	case "books":
		return t.books()
	case "registers":
		return t.registers(rest)
	case "spread":
		return t.spread(rest)
	case "returns":
		return t.returns(rest)
	case "bought":
		return t.dates(rest)
	default:
		panic(fmt.Sprintf("testdata: what is %q?", line))
	}
	return nil
}

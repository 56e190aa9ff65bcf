package campaign

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

var update = flag.Bool("update", false, "rewrite what the scenarios expect")

// TestScenarios plays testdata/*.txt. A scenario begins with `==`; each of its
// commands stands in a line, what it tells follows behind `>`.
//
//	programme: and indented lines     publishes a document
//	at TIME                           sets the clock
//	NAME joins [tag T] [birthday D] [code C]
//	NAME buys SUM [of CATEGORY QUANTITY] [at STORE]
//	NAME returns                      the whole newest purchase
//	NAME is erased, NAME merges into NAME
//	NAME is charged POINTS            an adjustment by hand
//	NAME is given POINTS REASON       another
//	store ID group G                  the directory
//	segment NAME, preview NAME        who belongs, what a grant would give
//	work                              what is due is done
//	list                              only one round of it: a run's members are listed
//	history NAME                      the adjustments of a member
//	runs, got N                       what came of grants; who got run N and who not
//	balance NAME, reminders           the reminders are those since the last time
//	restart                           server and all, on the same database
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		got := play(t, string(text))
		if *update {
			require.NoError(t, os.WriteFile(f, []byte(got), 0o644)) //nolint:gosec // test data is for everybody
			continue
		}
		require.Equal(t, string(text), got, f)
	}
}

// play runs a file and returns it with what was told.
func play(t *testing.T, text string) string {
	var out strings.Builder
	var w *world
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if strings.HasPrefix(line, "> ") {
			continue
		}
		out.WriteString(line)
		if i < len(lines)-1 {
			out.WriteString("\n")
		}
		switch {
		case strings.HasPrefix(line, "=="):
			if w != nil {
				w.shut()
			}
			w = newWorld(t)
		case line == "programme:":
			var doc strings.Builder
			for i+1 < len(lines) && strings.HasPrefix(lines[i+1], "    ") {
				i++
				out.WriteString(lines[i] + "\n")
				doc.WriteString(strings.TrimPrefix(lines[i], "    ") + "\n")
			}
			w.publish(doc.String())
		case line == "" || strings.HasPrefix(line, "#"):
		default:
			for _, told := range w.command(line) {
				out.WriteString("> " + told + "\n")
			}
		}
	}
	return out.String()
}

// command does one line.
func (w *world) command(line string) []string {
	w.Helper()
	words := strings.Fields(line)
	rest := strings.TrimSpace(strings.TrimPrefix(line, words[0]))
	switch words[0] {
	case "at":
		at, err := time.Parse(time.RFC3339, rest)
		require.NoError(w, err, line)
		w.clock.Store(at.UnixNano())
	case "store":
		w.must(protocol.Request{Call: protocol.CallPutStores, Stores: []protocol.StoreEntry{{ID: words[1], Group: words[3]}}})
	case "segment":
		if names := w.members(rest); len(names) > 0 {
			return []string{strings.Join(names, " ")}
		}
		return []string{"nobody"}
	case "preview":
		g := w.answer(protocol.Request{Call: protocol.CallPreviewGrant, Target: rest}).Campaign.Grants[0]
		return []string{fmt.Sprintf("%d members, %s", g.Members, points(g.Total))}
	case "work":
		require.NoError(w, w.work(context.Background()))
	case "list": // one round: the moment's members are listed, none has had it
		one, err := w.session(context.Background())
		require.NoError(w, err)
		defer shut(context.Background(), one.conn)
		_, err = one.round(context.Background())
		require.NoError(w, err)
	case "history":
		return w.history(words[1])
	case "runs":
		return w.runs()
	case "got":
		return w.got(words[1])
	case "balance":
		return []string{w.tellBalance(words[1])}
	case "reminders":
		return w.reminders()
	case "restart":
		w.restart()
	default:
		w.member(words)
	}
	return nil
}

// member does a line that begins with a member's name.
func (w *world) member(words []string) {
	w.Helper()
	name, line := words[0], strings.Join(words, " ")
	switch {
	case words[1] == "joins":
		var p protocol.Profile
		for k := 2; k+1 < len(words); k += 2 {
			switch value := words[k+1]; words[k] {
			case "tag":
				p.Tags, p.HasTags = append(p.Tags, value), true
			case "birthday":
				p.Birthday = &value
			case "code":
				p.PromoCode = value
			}
		}
		w.joins(name, p)
	case words[1] == "buys":
		id := w.buys(name, minor(w, words[2]), func(r *protocol.Request) { basket(w, r, words[3:]) })
		w.names["receipt of "+name] = id
	case words[1] == "returns":
		w.must(protocol.Request{Call: protocol.CallReturn, Target: w.names["receipt of "+name], Terminal: "T1", Store: "S1"})
	case line == name+" is erased":
		w.must(protocol.Request{Call: protocol.CallDeleteMember, Target: w.account(name)})
	case words[1] == "merges":
		w.must(protocol.Request{Call: protocol.CallMerge, Target: w.account(name), Into: w.account(words[3])})
	case words[1] == "is" && words[2] == "charged":
		w.must(protocol.Request{Call: protocol.CallAdjust, Target: w.account(name), Points: -minor(w, words[3]), Reason: "by hand"})
	case words[1] == "is" && words[2] == "given":
		w.must(protocol.Request{Call: protocol.CallAdjust, Target: w.account(name), Points: minor(w, words[3]), Reason: strings.Join(words[4:], " ")})
	default:
		w.Fatalf("what is %q?", line)
	}
}

// basket fills what is said of a receipt.
func basket(w *world, r *protocol.Request, words []string) {
	for k := 0; k < len(words); {
		switch words[k] {
		case "of":
			r.Lines = []protocol.Line{{ID: "1", SKU: words[k+1], Category: words[k+1], Quantity: minor(w, words[k+2]) * 10, Amount: r.Total, Unpriced: true}}
			k += 3
		case "at":
			r.Store = words[k+1]
			k += 2
		default:
			w.Fatalf("what is %q?", words[k])
		}
	}
}

func minor(t testing.TB, s string) int64 {
	t.Helper()
	whole, part, _ := strings.Cut(s, ".")
	v := int64(0)
	_, err := fmt.Sscan(whole+(part + "00")[:2], &v)
	require.NoError(t, err)
	return v
}

func points(v int64) string { return fmt.Sprintf("%d.%02d", v/100, v%100) }

func local(ns int64) string {
	if ns == 0 {
		return "never"
	}
	return time.Unix(0, ns).In(almaty).Format("2006-01-02 15:04")
}

// runs tells all runs, the oldest first.
func (w *world) runs() (told []string) {
	runs := w.answer(protocol.Request{Call: protocol.CallListRuns}).Campaign.Runs
	for i := len(runs) - 1; i >= 0; i-- {
		r := &runs[i]
		line := fmt.Sprintf("%d %s of %s %s: %d members, %d given, %d skipped, %s", r.ID, r.Grant, local(r.Occurrence), r.Status, r.Members, r.Given, r.Skipped, points(r.Total))
		if r.Why != "" {
			line += " (" + r.Why + ")"
		}
		told = append(told, line)
	}
	return told
}

// got tells what the members of a run got.
func (w *world) got(run string) (told []string) {
	rows, err := w.connect().Query(context.Background(), "SELECT account, status, why FROM grant_members WHERE run = $1", minor(w, run)/100)
	require.NoError(w, err)
	for rows.Next() {
		var account, status, why string
		require.NoError(w, rows.Scan(&account, &status, &why))
		line := w.nameOf(account) + " " + status
		if why != "" {
			line += ": " + why
		}
		told = append(told, line)
	}
	require.NoError(w, rows.Err())
	slices.Sort(told)
	return told
}

// tellBalance tells the points of a member, and which of them lapse when.
func (w *world) tellBalance(name string) string {
	out := w.must(protocol.Request{Call: protocol.CallBalance, Target: w.account(name)})
	line := points(out.Balance.Available)
	if out.Balance.Pending > 0 {
		line += " and " + points(out.Balance.Pending) + " to come"
	}
	for _, l := range out.Lots {
		line += fmt.Sprintf("; %s until %s", points(l.Points), local(l.Expires))
	}
	return line
}

// history tells the adjustments of a member, the newest first.
func (w *world) history(name string) (told []string) {
	for _, op := range w.must(protocol.Request{Call: protocol.CallOperations, Target: w.account(name)}).Operations {
		if op.Kind == "adjust" {
			told = append(told, "adjust "+points(op.Points)+": "+op.Reason)
		}
	}
	return told
}

// reminders tells what has come into the outbox since the last time.
func (w *world) reminders() (told []string) {
	out := w.answer(protocol.Request{Call: protocol.CallListReminders, Cursor: fmt.Sprint(w.told)})
	for _, r := range out.Campaign.Reminders {
		told = append(told, fmt.Sprintf("%s: %s lapse at %s (%s before)", w.nameOf(r.Member), points(r.Points), local(r.Expires), r.Before))
		w.told = r.ID
	}
	slices.Sort(told) // accounts' ids are drawn
	require.Equal(w, fmt.Sprint(w.told), out.NextCursor)
	return told
}

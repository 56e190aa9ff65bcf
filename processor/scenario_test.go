package processor

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

var update = flag.Bool("update", false, "write what the scenarios answer into testdata")

// TestScenarios plays testdata/*.txt. A file is a day at the shop: a line is
// what somebody does, the indented lines under it are what they are told.
// Sums are in money and points, not in minor units. testdata/README.txt
// lists the words. With -update the answers are written anew.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		if filepath.Base(file) == "README.txt" {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { play(t, file) })
	}
}

// day is a scenario being played.
type day struct {
	*shop
	names   map[string]protocol.Identifier // people by name
	ids     map[string]ledger.AccountID
	holds   map[string]string // operation ids by label
	last    protocol.Request  // for "again"
	said    string            // bytes of the last answer
	program uint32
}

func play(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	d := &day{
		shop: openShop(t, ""), names: map[string]protocol.Identifier{},
		ids: map[string]ledger.AccountID{}, holds: map[string]string{"nowhere": ledger.NewOpID(1, 1<<40).String()},
	}
	var out strings.Builder
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	var doc strings.Builder
	publish := func() {
		if doc.Len() > 0 {
			d.program++
			d.announce(doc.String())
			doc.Reset()
		}
	}
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "    ") {
			continue // an answer, made anew
		}
		out.WriteString(line + "\n")
		if rest, ok := strings.CutPrefix(line, "|"); ok {
			doc.WriteString(strings.TrimPrefix(rest, " ") + "\n")
			continue
		}
		if name, ok := strings.CutPrefix(line, "programme "); ok {
			text, err := os.ReadFile(filepath.Join(filepath.Dir(file), name))
			require.NoError(t, err)
			doc.Write(text)
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") || line == "programme" {
			continue
		}
		publish()
		for _, said := range d.do(line) {
			out.WriteString("    " + said + "\n")
		}
	}
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(out.String()), 0o644))
		return
	}
	require.Equal(t, string(text), out.String())
}

// words are a line's words: a verb, what it is about, and key=value pairs.
type words struct {
	verb  string
	about []string
	args  map[string]string
	label string // as NAME
}

func parseWords(line string) words {
	w := words{args: map[string]string{}}
	fields := strings.Fields(line)
	w.verb = fields[0]
	for i := 1; i < len(fields); i++ {
		key, value, isArg := strings.Cut(fields[i], "=")
		switch {
		case isArg:
			w.args[key] = value
		case fields[i] == "as" && i+1 < len(fields):
			w.label = fields[i+1]
			i++
		default:
			w.about = append(w.about, fields[i])
		}
	}
	return w
}

func (d *day) do(line string) []string {
	w := parseWords(line)
	switch w.verb {
	case "clock":
		at, err := time.ParseInLocation("2006-01-02 15:04", strings.Join(w.about, " "), almaty)
		require.NoError(d.t, err, line)
		d.clock.Store(at.UnixNano())
		return nil
	case "wait":
		wait, err := time.ParseDuration(w.about[0])
		require.NoError(d.t, err, line)
		d.later(wait)
		return nil
	case "member":
		d.member(w)
		return nil
	case "code":
		d.code(w)
		return nil
	case "again":
		return d.again(w)
	case "parked":
		return d.parked()
	case "register":
		return d.register(w)
	case "event":
		return d.event(w)
	case "shop":
		d.putStore(w)
		return nil
	case "arrive":
		d.arrive()
		return nil
	case "cashier", "block", "lift", "blocks":
		return d.guard(w)
	case "change", "tier", "operations", "stop", "start":
		return d.deed(w)
	case "product", "template", "carton", "card", "replace", "state", "merge", "friends":
		return d.counter(w)
	}
	r := d.request(w, line)
	d.last = r
	res := d.ask(r)
	d.said = wire(res)
	if w.label != "" {
		d.holds[w.label] = res.ID
	}
	if slices.Contains(w.about, "rules") {
		return append(tell(res), tellRules(res)...)
	}
	return tell(res)
}

// announce publishes a programme as an office does.
func (d *day) announce(document string) {
	r := d.till(protocol.CallPutProgram)
	r.Document = []byte(document)
	res := d.ask(r)
	require.Empty(d.t, res.Problems)
	require.Equal(d.t, protocol.Approved, res.Code, res.Detail)
}

// member makes a registered member: member Anna card=… phone=… points=100
// [until=2026-12-01].
func (d *day) member(w words) {
	id := ledger.AccountID(1000 + len(d.ids))
	name := w.about[0]
	d.ids[name] = id
	d.enrol(id, w.args["card"], w.args["phone"])
	if p := w.args["points"]; p != "" {
		lot := ledger.LotPart{Active: new(program.Almanac).DayStart(d.clock.Load(), almaty), Points: minor(d.t, p)}
		if until := w.args["until"]; until != "" {
			lot.Expires = d.date(until)
		}
		d.task(id.Partition(4), func(tx *ledger.Tx) error { return grant(tx, id, lot) })
	}
}

// code gives a member a live one-time code: code Anna 123456.
func (d *day) code(w words) {
	id := d.ids[w.about[0]]
	partition := id.Partition(d.ledger.Partitions())
	n, err := strconv.Atoi(w.about[1])
	require.NoError(d.t, err)
	code := fmt.Sprintf("%06d", n-n%4+partition) // a code names its partition
	d.names["code:"+w.about[1]] = protocol.Identifier{Kind: protocol.ByCode, Value: code}
	d.task(partition, func(tx *ledger.Tx) error {
		return tx.PutCode(d.s.codeKey("", code), id, tx.Now()+int64(5*time.Minute))
	})
}

// again sends the last request once more: "again", or "again total=2" with
// another body under the same key.
func (d *day) again(w words) []string {
	r := d.last
	if len(w.args) > 0 {
		d.fill(&r, w)
		return tell(d.ask(r))
	}
	if de7 := r.ISO.DE7; de7 != "" {
		r.ISO.MTI = r.ISO.MTI[:3] + "1"
	}
	res := d.ask(r)
	same := "the same bytes again"
	if wire(res) != d.said {
		same = "OTHER BYTES: " + wire(res)
	}
	return []string{same + map[bool]string{true: ", replayed", false: ""}[res.Replayed]}
}

// parked lists what waits for the office and labels it p1, p2, ….
func (d *day) parked() []string {
	out := []string{}
	list := d.ask(d.till(protocol.CallListParked)).Parked
	slices.SortFunc(list, func(a, b protocol.Parked) int { return strings.Compare(a.Because, b.Because) }) // ids are random
	for i, p := range list {
		label := "p" + strconv.Itoa(i+1)
		d.holds[label] = p.ID
		out = append(out, label+": "+p.Kind+", total "+decimal(p.Total)+", redeemed "+decimal(p.Redeemed)+", "+p.Because)
	}
	return append(out, strconv.Itoa(len(out))+" wait")
}

// minor reads a sum in major units.
func minor(t testing.TB, s string) int64 {
	whole, cents, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole+(cents + "00")[:2], 10, 64)
	require.NoError(t, err, s)
	return n
}

func (d *day) date(s string) int64 {
	at, err := time.ParseInLocation("2006-01-02T15:04", s, almaty)
	if err != nil {
		at, err = time.ParseInLocation("2006-01-02", s, almaty)
	}
	require.NoError(d.t, err)
	return at.UnixNano()
}

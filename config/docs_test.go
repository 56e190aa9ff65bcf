package config

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/gateway"
)

var update = flag.Bool("update", false, "write the generated parts of docs/configuration.md")

const page = "../docs/configuration.md"

// The page is made from the code, and a test holds it there.
func TestTheDocumentationHasEveryKey(t *testing.T) {
	raw, err := os.ReadFile(page)
	require.NoError(t, err)
	doc := between(t, string(raw), "settings", settingsTable())
	doc = between(t, doc, "entries", entriesTable())
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(doc), 0o644))
	}
	require.Equal(t, doc, string(raw), "write it anew: go test ./config -update")
}

// between puts a table between its marks.
func between(t *testing.T, doc, name, table string) string {
	t.Helper()
	open, end := "<!-- generated: "+name+" -->\n", "<!-- end: "+name+" -->"
	before, rest, ok := strings.Cut(doc, open)
	require.True(t, ok, open)
	_, after, ok := strings.Cut(rest, end)
	require.True(t, ok, end)
	return before + open + table + end + after
}

func settingsTable() string {
	var b strings.Builder
	b.WriteString("| key | flag | default | what |\n|---|---|---|---|\n")
	for _, s := range Settings(Default()) {
		byDefault := s.Default
		if byDefault != "" {
			byDefault = "`" + byDefault + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `--%s` | %s | %s |\n", s.Path, s.Flag, byDefault, s.Help)
	}
	return b.String()
}

// entriesTable is about the lists whose entries have keys of their own.
func entriesTable() string {
	var b strings.Builder
	b.WriteString("| list | key | what |\n|---|---|---|\n")
	for _, list := range []struct {
		path  string
		entry any
	}{{"keys", gateway.Key{}}, {"terminals", gateway.Terminal{}}, {"terminals[].mac", gateway.MACKey{}}} {
		of := reflect.TypeOf(list.entry)
		for i := range of.NumField() {
			f := of.Field(i)
			fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", list.path, f.Tag.Get("key"), f.Tag.Get("help"))
		}
	}
	b.WriteString("| `iso.listeners` | | as under `iso`: `listen`, `profile`, `merchant`, `key`, `sign_on`, `require_mac`, `tls` |\n")
	return b.String()
}

// What the page shows as an example is accepted, but for its files.
func TestTheExampleIsAccepted(t *testing.T) {
	raw, err := os.ReadFile(page)
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(raw), "```yaml\n")
	require.True(t, ok)
	example, _, _ := strings.Cut(rest, "```")
	c, err := load(t, example, nil)
	require.NoError(t, err)
	require.Equal(t, "0.0.0.0:8443", c.Gateway.HTTP.Listen)
	require.Equal(t, []string{"kafka.example:9092"}, c.Reconciler.Kafka.Brokers)
}

// No document makes the reader panic or accept what Validate would not.
func FuzzRead(f *testing.F) {
	f.Add("http:\n  listen: 127.0.0.1:1\nkeys: [{name: a, hash: b, role: till}]\n")
	f.Add("iso: {profile: {length: ascii}, listeners: [{listen: x}]}")
	f.Add("ledger: {partitions: 64}\nlog: {level: info}\ndata: |\n  x\n")
	f.Add("a: &b [*b]\n? x\n: y\n--- !t\n<<: {}\n")
	f.Fuzz(func(t *testing.T, doc string) {
		c := Default()
		if err := c.Read([]byte(doc)); err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		_ = c.Validate()
	})
}

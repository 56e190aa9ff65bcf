package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// load runs a command line, an environment and a file through the loader.
func load(t *testing.T, doc string, env map[string]string, args ...string) (*Config, error) {
	t.Helper()
	if doc != "" {
		file := filepath.Join(t.TempDir(), "tillgate.yaml")
		require.NoError(t, os.WriteFile(file, []byte(doc), 0o600))
		args = append([]string{"--config", file}, args...)
	}
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	l := Bind(fs)
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	return l.Load(func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	})
}

func TestTheLaterPlaceWins(t *testing.T) {
	doc := "http: {read_timeout: 3s}\niso:\n  listen: 127.0.0.1:1\n"
	env := map[string]string{"TILLGATE_HTTP_READ_TIMEOUT": "4s"}

	c, err := load(t, "", nil)
	require.NoError(t, err)
	require.Equal(t, 10*time.Second, c.Gateway.HTTP.ReadTimeout, "the default")

	c, err = load(t, doc, nil)
	require.NoError(t, err)
	require.Equal(t, 3*time.Second, c.Gateway.HTTP.ReadTimeout, "the file over the default")
	require.Equal(t, "127.0.0.1:1", c.Gateway.ISO.Listen)

	c, err = load(t, doc, env)
	require.NoError(t, err)
	require.Equal(t, 4*time.Second, c.Gateway.HTTP.ReadTimeout, "the environment over the file")

	c, err = load(t, doc, env, "--http-read-timeout", "5s", "--iso", "127.0.0.1:2", "--dev")
	require.NoError(t, err)
	require.Equal(t, 5*time.Second, c.Gateway.HTTP.ReadTimeout, "the flag over all")
	require.Equal(t, "127.0.0.1:2", c.Gateway.ISO.Listen)
	require.True(t, c.Dev)
}

func TestTheFileMayComeByTheEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	require.NoError(t, os.WriteFile(file, []byte("timezone: Asia/Almaty\n"), 0o600))
	c, err := load(t, "", map[string]string{"TILLGATE_CONFIG": file})
	require.NoError(t, err)
	require.Equal(t, "Asia/Almaty", c.Timezone)
}

func TestLists(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	doc := "keys:\n  - name: shop\n    hash: " + hash + "\n    role: checkout\n    stores: [S01, S02]\n" +
		"terminals: [{id: T0001, store: S01, mac: [{number: 1, key: 000102030405060708090a0b0c0d0e0f}]}]\n"
	c, err := load(t, doc, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"S01", "S02"}, c.Gateway.Keys[0].Stores)
	require.Equal(t, "T0001", c.Gateway.Terminals[0].ID)
	require.NotContains(t, render(Settings(c)[0].value), "000102", "no secret is rendered")

	c, err = load(t, "", nil, "--keys", "[{name: a, hash: "+hash+", role: till}]")
	require.NoError(t, err)
	require.Equal(t, "a", c.Gateway.Keys[0].Name)
}

// Everything that is refused names the path and says what to do.
func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		doc  string
		args []string
		want string
	}{
		"unknown key":      {doc: "htpp: {}", want: "line 1: htpp: is not a key here; there are data, dev, http"},
		"unknown deep key": {doc: "http:\n  read_timout: 3s", want: "line 2: http.read_timout: is not a key here"},
		"unknown in list":  {doc: "keys:\n  - nam: x", want: "keys[0].nam: is not a key here"},
		"twice":            {doc: "data: a\ndata: b", want: "data"},
		"wrong kind":       {doc: "http: {max_body: many}", want: "http.max_body: a whole number is wanted"},
		"text for number":  {doc: `http: {max_body: "5000"}`, want: "http.max_body: a number is wanted"},
		"no unit":          {doc: "http: {read_timeout: 5}", want: "http.read_timeout: a duration is wanted"},
		"list for value":   {doc: "data: [a]", want: "data: one value is wanted"},
		"value for list":   {doc: "keys: x", want: "keys: a list is wanted"},
		"value for map":    {doc: "http: 8080", want: "http: keys with values are wanted"},
		"anchor":           {doc: "data: &x a", want: "anchors, aliases and tags"},
		"two documents":    {doc: "data: a\n---\ndata: b", want: "one document is wanted"},
		"not YAML":         {doc: "a: [", want: "not well-formed YAML"},
		"out of range":     {doc: "limits: {in_flight: 0}", want: "limits.in_flight: 0 is out of range (1 to 1048576)"},
		"body over law":    {doc: "http: {max_body: 999999}", want: "http.max_body"},
		"zone":             {doc: "timezone: Mars/Olympus", want: "timezone: \"Mars/Olympus\" is not a time zone"},
		"level":            {doc: "log: {level: loud}", want: "log.level"},
		"no hold":          {doc: "processor: {holds_per_member: 0}", want: "processor.holds_per_member: 1 to 256"},
		"too many holds":   {doc: "processor: {holds_per_member: 257}", want: "processor.holds_per_member: 1 to 256"},
		"open to all":      {args: []string{"--http", "0.0.0.0:8080"}, want: "http.listen: 0.0.0.0:8080 is not a loopback address and no keys are configured"},
		"any interface":    {args: []string{"--http", ":8080"}, want: "is not a loopback address"},
		"ISO open to all":  {args: []string{"--iso", "10.0.0.1:8583"}, want: "set iso.require_mac"},
		"no such MAC":      {args: []string{"--iso-require-mac"}, want: "iso.require_mac: no terminal has a MAC key"},
		"profile":          {doc: "iso: {profile: {length: decimal}}", want: "iso.profile.length: binary, ascii or bcd is wanted"},
		"key hash":         {doc: "keys: [{name: a, hash: abc, role: till}]", want: "keys[0].hash"},
		"key role":         {doc: "keys: [{name: a, hash: " + strings.Repeat("00", 32) + ", role: boss}]", want: "keys[0].role"},
		"half TLS":         {doc: "http: {tls: {certificate: a.pem}}", want: "http.tls.key: is missing"},
		"unknown flag":     {args: []string{"--htpp", "x"}, want: "unknown flag"},
		"flag's kind":      {args: []string{"--http-max-body", "x"}, want: "a whole number is wanted"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, test.doc, nil, test.args...)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestAFaultNeverShowsASecret(t *testing.T) {
	const secret = "00112233445566778899aabbccddeeff"
	for _, doc := range []string{
		"terminals: [{id: T1, mac: [{number: x, key: " + secret + "}]}]",
		"terminals: [{id: T1, mac: [{number: 1, key: " + secret + "zz}]}]",
		"terminals: [{id: T1, mac: [{number: 1, key: " + secret + ", a: [}]}]",
	} {
		_, err := load(t, doc, nil)
		require.Error(t, err)
		require.NotContains(t, err.Error(), secret)
	}
	c, err := load(t, "terminals: [{id: T1, mac: [{number: 1, key: "+secret+"}]}]", nil)
	require.NoError(t, err)
	require.NotContains(t, strings.ToLower(dump(c)), secret)
}

func TestAddressesThatOnlyThisMachineReaches(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "127.8.9.1:80", "[::1]:80", "localhost:80"} {
		_, err := load(t, "", nil, "--http", address)
		require.NoError(t, err, address)
	}
}

// Every key is described, and what is described is a key.
func TestEveryKeyIsExplained(t *testing.T) {
	paths := map[string]bool{}
	flags := map[string]string{}
	for _, s := range Settings(Default()) {
		require.NotEmpty(t, s.Help, s.Path)
		require.Empty(t, flags[s.Flag], "flag of %s", s.Path)
		flags[s.Flag] = s.Path
		paths[s.Path] = true
	}
	for path := range descriptions {
		require.True(t, paths[path], "%s is described and is no key", path)
	}
}

// dump prints a configuration as a careless log would.
func dump(c *Config) string { return fmt.Sprintf("%v %+v %#v", *c, *c, *c) }

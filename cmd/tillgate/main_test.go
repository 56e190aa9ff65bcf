package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tillgate": main})
}

// The scripts of testdata/script are sessions that a person could type.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ports":   scriptPorts,
			"alive":   scriptAnswers("/healthz", ""),
			"ready":   scriptAnswers("/readyz", ""),
			"reports": scriptAnswers("/readyz", `{"name":"postgresql","ok":true`),
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_CACHE_HOME", e.WorkDir+"/cache")
			return nil
		},
		RequireExplicitExec: true,
	})
}

// scriptPorts sets each named variable to a loopback address that is free.
func scriptPorts(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		defer l.Close()
		ts.Setenv(name, l.Addr().String())
	}
}

// scriptAnswers waits until a server answers 200 at a path, with a text in the
// body. A PostgreSQL that must be fetched first takes its time.
func scriptAnswers(path, text string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			resp, err := http.Get("http://" + args[0] + path)
			if err != nil {
				continue
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil && resp.StatusCode == http.StatusOK && strings.Contains(string(body), text) {
				return
			}
		}
		ts.Fatalf("%s%s does not answer with %s", args[0], path, text)
	}
}

// run runs the program as its main does.
func run(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = Run(context.Background(), args, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

func TestExitCodes(t *testing.T) {
	missing, state := t.TempDir()+"/missing.yaml", t.TempDir()+"/till.json"
	for _, test := range []struct {
		args string
		code int
		says string
	}{
		{"", exitUsage, "usage: tillgate COMMAND"},
		{"help", exitDone, ""},
		{"version", exitDone, ""},
		{"--version", exitDone, ""},
		{"version x", exitUsage, "one argument too many"},
		{"sevre", exitUsage, `there is no command "sevre"`},
		{"serve --htpp x", exitUsage, "unknown flag: --htpp"},
		{"serve --http 0.0.0.0:0", exitUsage, "no keys are configured"},
		{"serve --config " + missing, exitUsage, "no such file"},
		{"serve --http-read-timeout soon", exitUsage, "a duration is wanted"},
		{"key", exitUsage, "name"},
		{"key --name a --role boss", exitUsage, "role"},
		{"till", exitUsage, "an argument is missing"},
		{"till dance", exitUsage, "there are accrue, authorize, balance"},
		{"till echo 5", exitUsage, `echo takes no "5"`},
		{"till echo --iso 127.0.0.1:1 --state " + state, exitFailed, "nobody listens on 127.0.0.1:1; start a server"},
		{"till authorize --state " + state, exitUsage, "name the member"},
		{"till authorize --phone +7701 --state " + state, exitUsage, "how much?"},
		{"till authorize --phone +7701 --card 1 --total 5 --state " + state, exitUsage, "in one way only"},
		{"till authorize --phone +7701 --total five --state " + state, exitUsage, "is no amount"},
		{"till authorize --phone +7701 --line a,b --state " + state, exitUsage, "is not sku,category,quantity,price"},
		{"till confirm --state " + state, exitUsage, "which one?"},
		{"till reverse --state " + state, exitUsage, "nothing that could be reversed"},
		{"till echo --length decimal", exitUsage, "binary, ascii or bcd"},
		{"program check", exitUsage, "an argument is missing"},
		{"program check " + missing, exitFailed, "no such file"},
		{"program whatever " + missing, exitUsage, "there are check, publish, versions"},
		{"demo --http 127.0.0.1:1", exitUsage, "belong together"},
		{"demo --tills 0", exitUsage, "1 to 99 tills"},
	} {
		code, out, err := run(strings.Fields(test.args)...)
		require.Equal(t, test.code, code, "tillgate %s: %s%s", test.args, out, err)
		require.Contains(t, err, test.says, "tillgate %s", test.args)
	}
}

// Every command explains itself, and the whole configuration stands in the
// help of serve.
func TestHelp(t *testing.T) {
	for _, c := range commands {
		code, out, err := run(c.name, "--help")
		require.Equal(t, exitDone, code, c.name)
		require.Empty(t, err, c.name)
		require.True(t, strings.HasPrefix(out, "usage: tillgate "+c.name), out)
	}
	_, out, _ := run("serve", "--help")
	for _, flag := range []string{"--dev", "--data", "--http ", "--iso ", "--config", "--ledger-partitions", "--kafka-brokers", "--limits-in-flight"} {
		require.Contains(t, out, flag)
	}
}

func TestMoney(t *testing.T) {
	for text, want := range map[string]int64{"1300": 130000, "1300.5": 130050, "0.01": 1, "1300.00": 130000, "9999999999.99": 999_999_999_999} {
		n, err := parseMoney(text)
		require.NoError(t, err, text)
		require.Equal(t, want, n, text)
	}
	for _, text := range []string{"", "-1", "1,5", "1.234", ".5", "1.", "x", "10000000000", "1e3", "99999999999999999999999"} {
		_, err := parseMoney(text)
		require.Error(t, err, text)
	}
	require.Equal(t, "-12.05", money(-1205))
}

// A till's memory survives from one command to the next, and a broken file is
// told of rather than lost.
func TestTillState(t *testing.T) {
	file := t.TempDir() + "/deep/till.json"
	s, err := loadState(file)
	require.NoError(t, err)
	require.Equal(t, "000001", s.nextSTAN())
	s.booked("A", tillSale{Payable: 70, Redeemed: 30})
	s.returned("A", 35, 15)
	require.NoError(t, s.save(file))
	again, err := loadState(file)
	require.NoError(t, err)
	require.Equal(t, s, again)
	require.EqualValues(t, 100-50-30+15, again.Totals.Net)
	again.STAN = 999_999
	require.Equal(t, "000001", again.nextSTAN(), "it begins again, and is never zero")
	again.newShift()
	require.Zero(t, again.Totals)
	require.Equal(t, 2, again.Shift)
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	_, err = loadState(file)
	require.ErrorContains(t, err, "remove the file")
}

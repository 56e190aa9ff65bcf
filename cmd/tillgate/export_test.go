package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"tillgate/reconciler/services/servicetest"
)

// office is a server with a reporting database, and its command line.
type office struct {
	*testing.T
	data, http, iso string
}

func newOffice(t *testing.T) *office {
	dsn := servicetest.Database(t)
	dir, err := os.MkdirTemp("", "office")
	require.NoError(t, err)
	o := &office{T: t, data: dir, http: freeAddress(t), iso: freeAddress(t)}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() {
		var out bytes.Buffer
		ended <- Run(ctx, []string{"serve", "--data", dir, "--http", o.http, "--iso", o.iso, "--postgres", dsn, "--dev"}, nil, &out, &out)
	}()
	t.Cleanup(func() {
		stop()
		require.Equal(t, exitDone, <-ended)
		require.NoError(t, os.RemoveAll(dir))
	})
	require.Eventually(t, func() bool {
		r, err := http.Get("http://" + o.http + "/healthz")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	}, 20*time.Second, 10*time.Millisecond)
	return o
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// command runs one that must succeed, and returns what it prints.
func (o *office) command(args ...string) string {
	o.Helper()
	var out, err bytes.Buffer
	require.Equal(o, exitDone, Run(context.Background(), args, nil, &out, &err), "%v: %s", args, &err)
	return out.String()
}

// directories sends rows of each directory, and returns what it has sent.
func (o *office) directories() map[string]string {
	sent := map[string]string{
		"stores":    `[{"id":"S1","timezone":"Asia/Almaty","group":"north","partner":"P"},{"id":"S2"}]`,
		"products":  `[{"sku":"4601","name":"Latte","category":"coffee","tags":["hot","milk"],"price":70000},{"sku":"4602"}]`,
		"cashiers":  `[{"id":"C1","name":"Айгуль","store":"S1","card":"4000000001"}]`,
		"templates": `[{"id":"gold","pattern":"77######C","check":"luhn","type":"gold","valid":"3y"}]`,
	}
	for name, list := range sent {
		path := "/v1/" + name
		if name == "templates" {
			path = "/v1/card-templates"
		}
		r, err := http.NewRequest(http.MethodPut, "http://"+o.http+path, strings.NewReader(`{"`+name+`":`+list+`}`))
		require.NoError(o, err)
		r.Header.Set("Content-Type", "application/json")
		a, err := http.DefaultClient.Do(r)
		require.NoError(o, err)
		body, err := io.ReadAll(a.Body)
		require.NoError(o, errors.Join(err, a.Body.Close()))
		require.Equal(o, http.StatusOK, a.StatusCode, "%s", body)
	}
	return sent
}

func TestExportCommand(t *testing.T) {
	o := newOffice(t)
	sent := o.directories()
	for _, total := range []string{"1000", "345.67"} {
		o.command("till", "accrue", "-q", "--state", filepath.Join(o.data, "till"), "--iso", o.iso, "--phone", "+77011234567", "--total", total)
	}
	year := []string{"--data", o.data, "--from", time.Now().AddDate(0, 0, -1).Format(time.DateOnly), "--to", time.Now().AddDate(0, 0, 2).Format(time.DateOnly)}

	rows, err := csv.NewReader(bytes.NewBufferString(o.command(append([]string{"export"}, year...)...))).ReadAll()
	require.NoError(t, err)
	at := map[string]int{}
	for i, name := range rows[0] {
		at[name] = i
	}
	last := rows[len(rows)-1]
	require.Equal(t, []string{"total", "1345.67", "134.56", "-134.56"},
		[]string{last[0], last[at["total"]], last[at["points_earned"]], last[at["issued"]]})

	file := filepath.Join(o.data, "out.xlsx")
	o.command(append([]string{"export", "-o", file}, year...)...)
	f, err := excelize.OpenFile(file)
	require.NoError(t, err)
	defer f.Close()
	sheet, err := f.GetRows("operations")
	require.NoError(t, err)
	require.Equal(t, rows[0], sheet[0])
	require.Len(t, sheet, len(rows))

	file = filepath.Join(o.data, "all.zip")
	o.command("export", "--all", "--data", o.data, "-o", file)
	z, err := zip.OpenReader(file)
	require.NoError(t, err)
	defer z.Close()
	require.NotEmpty(t, z.File)
	for name, list := range sent {
		lines, err := fs.ReadFile(z, name+".jsonl")
		require.NoError(t, err)
		var sent, told []any
		require.NoError(t, json.Unmarshal([]byte(list), &sent))
		require.NoError(t, json.Unmarshal([]byte("["+strings.TrimSuffix(strings.ReplaceAll(string(lines), "\n", ","), ",")+"]"), &told))
		require.Equal(t, sent, told, name)
	}

	proof := o.command("verify", "--data", o.data)
	require.Contains(t, proof, "all in order")
	require.Contains(t, proof, "0 records behind the ledger: the same as the ledger")
}

package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"net"
	"net/http"
	"os"
	"path/filepath"
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

func TestExportCommand(t *testing.T) {
	o := newOffice(t)
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

	proof := o.command("verify", "--data", o.data)
	require.Contains(t, proof, "all in order")
	require.Contains(t, proof, "0 records behind the ledger: the same as the ledger")
}

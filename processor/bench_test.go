package processor

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// BenchmarkAuthorize holds points over a ledger in memory, with many requests
// in flight: what the switch itself costs, without a disk.
func BenchmarkAuthorize(b *testing.B) {
	s := &shop{t: b, fs: vfs.NewMem()}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	s.ledger, err = ledger.Open("data", ledger.Options{FS: s.fs, MinFreeDisk: -1, Logger: quiet})
	require.NoError(b, err)
	s.s, err = New(s.ledger, Options{Logger: quiet})
	require.NoError(b, err)
	compiled, problems := program.Compile([]byte(small))
	require.Empty(b, problems)
	s.s.programs.put("", program.Version{Number: 1, Published: 1, Program: compiled})
	const members, inFlight = 10_000, 512
	for i := range members {
		s.enrol(ledger.AccountID(i+1), card(i), "", ledger.LotPart{Active: 1, Points: 1 << 40})
	}
	free := make(chan *protocol.Exchange, inFlight)
	for range inFlight {
		free <- &protocol.Exchange{}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		x := <-free
		r := s.sale(protocol.CallAuthorize, byCard(card(i%members)), 130000, 650)
		r.HoldSeconds = 1
		x.Request = r
		x.Done = func(x *protocol.Exchange) {
			if !x.Response.Code.OK() && x.Response.Code != protocol.LimitExceededCount {
				b.Errorf("%s: %s", x.Response.Code, x.Response.Detail)
			}
			free <- x
		}
		s.s.Submit(x)
	}
	for range inFlight {
		<-free
	}
	b.StopTimer()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(b, s.s.Close(ctx))
	require.NoError(b, s.ledger.Close())
}

func card(i int) string { return "77" + strconv.Itoa(1000000+i) }

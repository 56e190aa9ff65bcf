package gateway

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"tillgate/protocol"
)

// FuzzExportParameters: whatever stands behind the question mark of an export or
// a report is refused with its place, or is what it was taken for: the same when
// it is written again from what was understood, and no part of the client's
// buffer.
func FuzzExportParameters(f *testing.F) {
	f.Add("from=2026-11-01T00:00:00%2B05:00&to=2026-12-01T00:00:00Z&format=xlsx", true)
	f.Add("from=2026-11-01T00:00:00+05:00&to=2026-12-01T00:00:00.25-02:30", false)
	f.Add("format=json", false)
	f.Add("format=csv&format=csv", true)
	f.Add("from=&to=%00&&=&%", true)
	f.Add("form\xff\x01at="+strings.Repeat("9", 100), false)
	f.Fuzz(func(t *testing.T, query string, export bool) {
		call := protocol.CallReport
		if export {
			call = protocol.CallExport
		}
		var args fasthttp.Args
		args.Parse(query)
		r := protocol.Request{Call: call}
		if bad := readQuery(&args, &r); bad != nil {
			require.Equal(t, protocol.InvalidRequest, bad.Code)
			require.NotEmpty(t, bad.Detail)
			require.LessOrEqual(t, len(bad.Field), 32)
			require.True(t, bad.Field == "" || visible(strings.ReplaceAll(bad.Field, " ", "_")), "%q", bad.Field)
			return
		}
		var again fasthttp.Args
		count := 0
		for name, at := range map[string]protocol.Time{"from": r.From, "to": r.To} {
			if at.Set {
				moment := time.Unix(0, at.Unix).In(time.FixedZone("", int(at.Offset)))
				again.Set(name, moment.Format(time.RFC3339Nano))
				count++
			}
		}
		format := strings.Clone(r.Format)
		if format != "" {
			require.Contains(t, []string{"csv", "xlsx", "json"}, format)
			require.False(t, export && format == "json")
			again.Set("format", format)
			count++
		}
		require.Equal(t, count, args.Len(), "each parameter is a known one, and stands once")
		args.Parse(strings.Repeat("#", len(query))) // the client's buffer is used again
		require.Equal(t, format, r.Format)

		second := protocol.Request{Call: call}
		require.Nil(t, readQuery(&again, &second))
		require.Equal(t, [2]protocol.Time{r.From, r.To}, [2]protocol.Time{second.From, second.To})
		require.Equal(t, format, second.Format)
	})
}

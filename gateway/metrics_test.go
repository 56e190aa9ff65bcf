package gateway

import (
	"fmt"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// counted is the value of a counter with the labels, given in pairs.
func counted(t *testing.T, e *edge, name string, labels ...string) int {
	t.Helper()
	families, err := e.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.Metric {
			if matches(m, labels) {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return 0
}

func matches(m *dto.Metric, labels []string) bool {
	for i := 0; i < len(labels); i += 2 {
		found := false
		for _, l := range m.Label {
			found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
		}
		if !found {
			return false
		}
	}
	return true
}

// Whatever clients send, labels come from closed sets.
func TestLabelsAreOfClosedSets(t *testing.T) {
	e := start(t)
	c := e.till()
	for i := range 40 {
		e.do("GET", fmt.Sprintf("/v1/members/%013d/balance", i), "")
		e.do("GET", fmt.Sprintf("/v1/nothing/%d", i), "")
		e.do("POST", fmt.Sprintf("/v1/authorizations?x%d=1", i), sale, "Idempotency-Key", fmt.Sprint(i))
		fields := holdFields(i)
		fields[7] = fmt.Sprintf("T%04d", i)
		c.ask("0100", fields...)
	}
	closedSet := map[string]bool{"http": true, "iso": true, "total": true, "address": true, "timeout": true, "malformed": true, "tls": true}
	for call := protocol.Call(0); call < protocol.CallCount; call++ {
		closedSet[call.String()] = true
	}
	for code := protocol.Code(0); code < codeBound; code++ {
		closedSet[code.String()] = true
	}
	families, err := e.registry.Gather()
	require.NoError(t, err)
	series := 0
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "tillgate_") {
			continue // promhttp's own
		}
		for _, m := range f.Metric {
			series++
			for _, l := range m.Label {
				require.True(t, closedSet[l.GetValue()], "%s{%s=%q}", f.GetName(), l.GetName(), l.GetValue())
			}
		}
	}
	require.Less(t, series, 40, "the series do not grow with what clients send")
	require.Equal(t, 40, counted(t, e, "tillgate_requests_total", "edge", "iso", "call", "authorize", "code", "approved"))
	require.Equal(t, 40, counted(t, e, "tillgate_requests_total", "edge", "http", "call", "unknown", "code", "not_found"))
}

func TestHistogramsAreNative(t *testing.T) {
	e := start(t)
	e.authorize("k")
	families, err := e.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == "tillgate_request_seconds" {
			h := f.Metric[0].GetHistogram()
			require.NotNil(t, h.Schema, "there are native buckets")
			require.NotEmpty(t, h.Bucket, "and classic ones for those who can't read them")
			return
		}
	}
	t.Fatal("there is no histogram")
}

func TestMetricsArePublished(t *testing.T) {
	e := start(t)
	e.authorize("k")
	a := e.do("GET", "/metrics", "")
	require.Equal(t, 200, a.status)
	require.Contains(t, a.body, `tillgate_requests_total{call="authorize",code="approved",edge="http"} 1`)
	require.Contains(t, a.body, "tillgate_in_flight")
}

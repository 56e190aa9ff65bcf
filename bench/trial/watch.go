package trial

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tillgate/bench/report"
)

// watched are the metrics of the server that tell how far the stream is, by
// their place in a [report.Sample].
const (
	publishedMetric  = "tillgate_publish_records_total"
	publishLagMetric = "tillgate_publish_lag_records"
	projectedMetric  = "tillgate_projection_records_total"
	projectLagMetric = "tillgate_projection_lag_records"
)

// lookEvery is how often a watched server is looked at: more often in a short
// run, so that its plot has points.
func lookEvery(lasting time.Duration) time.Duration {
	return min(max(lasting/300, 200*time.Millisecond), 10*time.Second)
}

// watch samples the server until the returned function is called, which gives
// back its argument or what went wrong.
func (t *trial) watch(ctx context.Context, s *shop, w *report.Watch) (stop func(error) error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	every := lookEvery(max(t.Soak, t.Length))
	begun := time.Now()
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			sample, err := s.sample(ctx, time.Since(begun))
			if err != nil {
				if ctx.Err() != nil {
					err = nil
				}
				done <- err
				return
			}
			w.Samples = append(w.Samples, sample)
			select {
			case <-ctx.Done():
				done <- nil
				return
			case <-tick.C:
			}
		}
	}()
	return func(err error) error {
		cancel()
		return errors.Join(err, <-done)
	}
}

// sample looks at the server once.
func (s *shop) sample(ctx context.Context, at time.Duration) (report.Sample, error) {
	disk, err := diskUse(s.server.Dir)
	if err != nil {
		return report.Sample{}, err
	}
	m, err := s.metrics(ctx)
	return report.Sample{
		At: at.Seconds(), Memory: memory(s.server.Pid()), Disk: float64(disk) / (1 << 20), CPU: cpu(s.server.Pid()).Seconds(),
		Published: m[publishedMetric], PublishLag: m[publishLagMetric],
		Projected: m[projectedMetric], ProjectLag: m[projectLagMetric],
	}, err
}

// metrics reads the server's metrics that have no labels.
func (s *shop) metrics(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.server.HTTP+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	// Compressing them would take the processor from what is measured.
	req.Header.Set("Accept-Encoding", "identity")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	values := map[string]float64{}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		name, text, ok := strings.Cut(lines.Text(), " ")
		if !ok || strings.HasPrefix(name, "#") || strings.Contains(name, "{") {
			continue
		}
		if v, err := strconv.ParseFloat(text, 64); err == nil {
			values[name] = v
		}
	}
	return values, lines.Err()
}

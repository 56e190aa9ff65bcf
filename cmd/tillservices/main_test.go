package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"tillgate/reconciler/services"
	"tillgate/reconciler/services/servicetest"
)

// TestMain lets the test binary stand for the program that `up` starts again.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "run" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestUpStatusDown plays a working day: start, start again, look, use, stop.
func TestUpStatusDown(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir := servicetest.Dir(t)
	t.Setenv("TILLGATE_SERVICES", dir)
	t.Setenv("TILLGATE_REQUIRE_SERVICES", "")
	say := func(command string) (string, error) {
		var out bytes.Buffer
		err := Run(ctx, []string{command}, &out)
		return out.String(), err
	}

	_, err := say("status")
	require.ErrorIs(t, err, errNotRunning)
	said, err := say("down")
	require.NoError(t, err)
	require.Contains(t, said, "were not running")

	said, err = say("up")
	require.NoError(t, err)
	t.Cleanup(func() { _ = down(context.Background(), dir, &bytes.Buffer{}) })
	require.Equal(t, 2, strings.Count(said, "\n"), said)
	again, err := say("up")
	require.NoError(t, err)
	require.Equal(t, said, again, "it runs already")

	s, running, err := services.ReadState(dir)
	require.NoError(t, err)
	require.True(t, running)
	if s.Postgres != "" {
		config, err := pgx.ParseConfig(s.Postgres)
		require.NoError(t, err)
		require.NotContains(t, said, config.Password, "what `up` prints ends in logs")
		conn, err := pgx.Connect(ctx, s.Postgres)
		require.NoError(t, err)
		require.NoError(t, conn.Close(ctx))
		said, err = say("status")
		require.NoError(t, err)
		require.Contains(t, said, s.Postgres)
	}

	said, err = say("down")
	require.NoError(t, err)
	require.Contains(t, said, "are stopped")
	_, err = say("status")
	require.ErrorIs(t, err, errNotRunning)
	if s.Postgres != "" {
		_, err = pgx.Connect(ctx, s.Postgres)
		require.Error(t, err, "down returns when the servers have ended")
	}
}

func TestCommandIsOneWord(t *testing.T) {
	for _, args := range [][]string{nil, {"start"}, {"up", "now"}} {
		require.ErrorContains(t, Run(t.Context(), args, &bytes.Buffer{}), "one of up, down, status, run", args)
	}
}

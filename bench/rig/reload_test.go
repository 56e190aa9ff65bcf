package rig_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/bench/rig"
	"tillgate/gateway"
	"tillgate/reconciler/services/servicetest"
)

// A key's secret is exchanged in the running process: the file is changed, the
// process gets SIGHUP, and no request that is under way is hurt. A file with a
// fault changes nothing.
func TestKeysAreReadAgainOnHangup(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir := servicetest.Dir(t)
	conf := filepath.Join(dir, "tillgate.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(conf, []byte(text), 0o600)) }
	old, oldHash := gateway.NewKey()
	fresh, freshHash := gateway.NewKey()
	keys := func(hash, also string) string {
		return "keys:\n  - {name: shop, role: admin, merchant: m, hash: \"" + hash + "\", also: \"" + also + "\"}\n"
	}
	write(keys(oldHash, ""))
	server := start(ctx, t, dir, "TILLGATE_CONFIG="+conf, "TILLGATE_POSTGRES="+servicetest.Database(t))
	status := func(secret string) int {
		shop := rig.NewShop("http://"+server.HTTP, "T0001")
		shop.Key = secret
		defer shop.Close()
		s, _, err := shop.Get("/v1/program/versions")
		require.NoError(t, err)
		return s
	}
	becomes := func(was, is int) {
		t.Helper()
		require.NoError(t, server.Signal(syscall.SIGHUP))
		for status(old) != was || status(fresh) != is {
			require.NoError(t, ctx.Err(), "the keys were not read again")
			time.Sleep(10 * time.Millisecond)
		}
	}
	require.Equal(t, []int{200, 401}, []int{status(old), status(fresh)})
	write(keys(oldHash, freshHash))
	becomes(200, 200)
	write("keys: [{name: shop")
	require.NoError(t, server.Signal(syscall.SIGHUP))
	write(keys(freshHash, ""))
	becomes(401, 200)
}

package protocol

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRoutesAreFound: each route by its own path, with the parameter.
func TestRoutesAreFound(t *testing.T) {
	for i := range Routes {
		r := &Routes[i]
		before, after, open := r.Path, "", false
		if p, _ := match(r.Path); p != nil && p.before != "" {
			before, after, open = p.before, p.after, true
		}
		path, want := r.Path, ""
		if open {
			want = "X-1"
			path = before + want + after
		}
		got, param, outcome := MatchRoute(r.Method, path)
		require.Equal(t, Approved, outcome, path)
		require.Same(t, r, got, path)
		require.Equal(t, want, param, path)
		require.Same(t, r, RouteOf(r.Call))
	}
	require.Nil(t, RouteOf(CallEcho))
}

// TestPathsThatAreNone and methods that a path does not have.
func TestPathsThatAreNone(t *testing.T) {
	for _, path := range []string{
		"", "/", "/v1", "/v1/", "/v1/members/", "/v1/members//balance", "/v1/members/a/b/balance", "/v1/members/a/", "/v1/members/a/unknown",
		"/v1/authorizations/", "/v1/authorizations/a/amend/", "/V1/quote", "/v1/quote/", "/v1/cards/1/replace/2", "/v1/exports/", "/v1/reports/",
	} {
		_, _, outcome := MatchRoute("GET", path)
		require.Equal(t, NoSuchCall, outcome, path)
		require.Empty(t, Allowed(path), path)
	}
	for path, allow := range map[string]string{
		"/v1/quote": "POST", "/v1/members/lookup": "POST", "/v1/members/x": "GET, PATCH, DELETE", "/v1/program": "GET, PUT", "/healthz": "GET",
	} {
		_, _, outcome := MatchRoute("TRACE", path)
		require.Equal(t, MethodNotAllowed, outcome, path)
		require.Equal(t, allow, Allowed(path))
	}
}

// TestEveryPostThatChangesSomethingNeedsAKey: those that change nothing are
// the three listed.
func TestEveryPostThatChangesSomethingNeedsAKey(t *testing.T) {
	for _, r := range Routes {
		changesNothing := r.Call == CallQuote || r.Call == CallLookupMember || r.Call == CallCheckProgram || r.Call == CallWhatIf
		require.Equal(t, r.Method == "POST" && !changesNothing, r.NeedsKey, r.Path)
	}
}

// TestRolesOfTheMatrix checks the lines that matter most; docs/http.md has
// the whole of it.
func TestRolesOfTheMatrix(t *testing.T) {
	may := func(role Role, call Call) bool { return RouteOf(call).Roles.Has(role) }
	for _, r := range Routes {
		require.True(t, r.Roles.Has(RoleAny), r.Path)
		require.True(t, r.Roles.Has(RoleAdmin), r.Path)
		require.Equal(t, r.Call == CallHealth || r.Call == CallReady || r.Call == CallOpenAPI || r.Call == CallProgramSchema, r.Roles.Has(RoleNone), r.Path)
	}
	require.False(t, may(RoleTill, CallAdjust))
	require.False(t, may(RoleTill, CallGetMember), "a till sees no profiles")
	require.True(t, may(RoleTill, CallCloseShift))
	require.False(t, may(RoleCheckout, CallCloseShift))
	require.True(t, may(RoleCheckout, CallPatchMember))
	require.False(t, may(RoleFinance, CallAuthorize))
	require.False(t, may(RoleFinance, CallGetMember), "finance sees no profiles")
	require.True(t, may(RoleFinance, CallExport))
	require.False(t, may(RoleMarketing, CallLookupMember))
	require.False(t, may(RoleMarketing, CallPutStores))
	require.False(t, may(RoleSupport, CallPutProgram))
	require.True(t, may(RoleSupport, CallAdjust))
}

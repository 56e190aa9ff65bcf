package protocol

import "strings"

// Body says what body a call takes.
type Body uint8

const (
	BodyNone     Body = iota
	BodyJSON          // application/json, required
	BodyOptional      // application/json or nothing
	BodyDocument      // a programme: application/yaml or application/json
)

// Roles is a set of roles.
type Roles uint16

// Has reports whether a caller of that role may make the call. A caller
// without a key (RoleNone) may make public calls; RoleAny may make all.
func (s Roles) Has(r Role) bool { return r == RoleAny || s&(1<<r) != 0 }

// Roles by themselves and in the groups that the matrix uses.
const (
	till      Roles = 1 << RoleTill
	checkout  Roles = 1 << RoleCheckout
	finance   Roles = 1 << RoleFinance
	marketing Roles = 1 << RoleMarketing
	support   Roles = 1 << RoleSupport
	admin     Roles = 1 << RoleAdmin

	everyKey = till | checkout | finance | marketing | support | admin
	public   = everyKey | 1<<RoleNone
	sells    = till | checkout | admin
	serves   = checkout | support | admin
)

// Route is one call of the HTTP edge. Path is a pattern with at most one
// parameter in braces, which becomes Request.Target (an export's name in the
// case of CallExport).
type Route struct {
	Method   string
	Path     string
	Call     Call
	Roles    Roles
	NeedsKey bool // an Idempotency-Key is required
	Body     Body
}

// Routes is the HTTP edge's table: what is dispatched, who may call it, and
// what openapi.yaml describes (a test holds the two together). Every POST
// that changes something needs a key; PUT, PATCH and DELETE are idempotent by
// their nature and take one if it is given.
var Routes = []Route{
	{"POST", "/v1/quote", CallQuote, sells, false, BodyJSON},
	{"POST", "/v1/authorizations", CallAuthorize, sells, true, BodyJSON},
	{"GET", "/v1/authorizations/{id}", CallGetAuthorization, sells | finance | support, false, BodyNone},
	{"POST", "/v1/authorizations/{id}/amend", CallAmend, sells, true, BodyJSON},
	{"POST", "/v1/authorizations/{id}/confirm", CallConfirm, sells, true, BodyOptional},
	{"POST", "/v1/authorizations/{id}/void", CallVoid, sells, true, BodyOptional},
	{"POST", "/v1/reversals", CallReverse, sells, true, BodyJSON},
	{"POST", "/v1/accruals", CallAccrue, sells, true, BodyJSON},
	{"POST", "/v1/redemptions", CallRedeem, sells, true, BodyJSON},
	{"POST", "/v1/returns", CallReturn, sells, true, BodyJSON},

	{"GET", "/v1/parked", CallListParked, finance | support | admin, false, BodyNone},
	{"POST", "/v1/parked/{id}/resolve", CallResolveParked, finance | support | admin, true, BodyJSON},
	{"POST", "/v1/shifts/close", CallCloseShift, till | finance | admin, true, BodyJSON},

	{"POST", "/v1/members", CallCreateMember, sells | support, true, BodyJSON},
	{"POST", "/v1/members/lookup", CallLookupMember, sells | support, false, BodyJSON},
	{"GET", "/v1/members/{id}", CallGetMember, serves, false, BodyNone},
	{"PATCH", "/v1/members/{id}", CallPatchMember, serves, false, BodyJSON},
	{"DELETE", "/v1/members/{id}", CallDeleteMember, support | admin, false, BodyNone},
	{"GET", "/v1/members/{id}/balance", CallBalance, sells | finance | support, false, BodyNone},
	{"GET", "/v1/members/{id}/operations", CallOperations, serves | finance, false, BodyNone},
	{"GET", "/v1/members/{id}/referral", CallReferral, serves, false, BodyNone},
	{"POST", "/v1/members/{id}/codes", CallIssueCode, sells | support, true, BodyOptional},
	{"POST", "/v1/members/{id}/events", CallMemberEvent, serves, true, BodyJSON},
	{"POST", "/v1/members/{id}/tier", CallSetTier, support | admin, true, BodyJSON},
	{"POST", "/v1/members/{id}/merge", CallMerge, support | admin, true, BodyJSON},
	{"POST", "/v1/members/{id}/adjustments", CallAdjust, support | admin, true, BodyJSON},
	{"POST", "/v1/members/{id}/cards", CallAddCard, support | admin, true, BodyJSON},
	{"POST", "/v1/program/coupons", CallCoupons, marketing | admin, true, BodyJSON},
	{"POST", "/v1/cards/batch", CallCardBatch, admin, true, BodyJSON},
	{"PATCH", "/v1/cards/{number}", CallPatchCard, support | admin, false, BodyJSON},
	{"POST", "/v1/cards/{number}/replace", CallReplaceCard, support | admin, true, BodyJSON},

	{"GET", "/v1/program", CallGetProgram, marketing | admin, false, BodyNone},
	{"PUT", "/v1/program", CallPutProgram, marketing | admin, false, BodyDocument},
	{"POST", "/v1/program/check", CallCheckProgram, marketing | admin, false, BodyDocument},
	{"POST", "/v1/program/whatif", CallWhatIf, marketing | admin, false, BodyDocument},
	{"GET", "/v1/program/versions", CallProgramVersions, marketing | admin, false, BodyNone},
	{"GET", "/v1/program/versions/diff", CallProgramDiff, marketing | admin, false, BodyNone},
	{"POST", "/v1/program/versions/{version}/restore", CallRestoreProgram, marketing | admin, true, BodyNone},
	{"GET", "/v1/program/schema", CallProgramSchema, public, false, BodyNone},
	{"PUT", "/v1/products", CallPutProducts, marketing | admin, false, BodyJSON},
	{"GET", "/v1/products", CallListProducts, marketing | admin, false, BodyNone},
	{"PUT", "/v1/stores", CallPutStores, admin, false, BodyJSON},
	{"GET", "/v1/stores", CallListStores, marketing | admin, false, BodyNone},
	{"PUT", "/v1/cashiers", CallPutCashiers, admin, false, BodyJSON},
	{"GET", "/v1/cashiers", CallListCashiers, admin, false, BodyNone},
	{"PUT", "/v1/card-templates", CallPutTemplates, admin, false, BodyJSON},
	{"GET", "/v1/card-templates", CallListTemplates, support | admin, false, BodyNone},

	{"GET", "/v1/blocks", CallListBlocks, support | admin, false, BodyNone},
	{"PUT", "/v1/blocks", CallPutBlock, support | admin, false, BodyJSON},
	{"DELETE", "/v1/blocks", CallDeleteBlock, support | admin, false, BodyNone},

	{"GET", "/v1/segments", CallListSegments, marketing | admin, false, BodyNone},
	{"GET", "/v1/segments/{name}/members", CallSegmentMembers, marketing | admin, false, BodyNone},
	{"GET", "/v1/grants", CallListGrants, marketing | admin, false, BodyNone},
	{"GET", "/v1/grants/{name}/preview", CallPreviewGrant, marketing | admin, false, BodyNone},
	{"GET", "/v1/grants/runs", CallListRuns, marketing | finance | admin, false, BodyNone},
	{"GET", "/v1/grants/runs/{id}/members", CallRunMembers, marketing | finance | admin, false, BodyNone},
	{"GET", "/v1/reminders", CallListReminders, marketing | admin, false, BodyNone},

	{"GET", "/v1/reports/{name}", CallReport, finance | admin, false, BodyNone},
	{"GET", "/v1/exports/{name}", CallExport, finance | admin, false, BodyNone},

	{"GET", "/healthz", CallHealth, public, false, BodyNone},
	{"GET", "/readyz", CallReady, public, false, BodyNone},
	{"GET", "/metrics", CallMetrics, everyKey, false, BodyNone},
	{"GET", "/openapi.yaml", CallOpenAPI, public, false, BodyNone},
}

// pattern is one path with the calls behind it, by method.
type pattern struct {
	before, after string // what stands before and after the parameter
	routes        []*Route
	allow         string // the Allow header's value
}

// fixed and open are Routes arranged for look-up, and bodies by call. They
// never change after the package has begun.
var (
	fixed  = map[string]*pattern{}
	open   []*pattern
	bodies [CallCount]Body
)

func init() {
	for i := range Routes {
		r := &Routes[i]
		bodies[r.Call] = r.Body
		p := patternOf(r.Path)
		p.routes = append(p.routes, r)
		if p.allow != "" {
			p.allow += ", "
		}
		p.allow += r.Method
	}
}

// patternOf finds or makes the pattern of a path.
func patternOf(path string) *pattern {
	before, rest, param := strings.Cut(path, "{")
	if !param {
		if fixed[path] == nil {
			fixed[path] = &pattern{}
		}
		return fixed[path]
	}
	_, after, _ := strings.Cut(rest, "}")
	for _, p := range open {
		if p.before == before && p.after == after {
			return p
		}
	}
	p := &pattern{before: before, after: after}
	open = append(open, p)
	return p
}

// match finds a path's pattern and the parameter in it. A path that stands
// in the table word by word comes first (members/lookup is no member).
func match(path string) (p *pattern, param string) {
	if p = fixed[path]; p != nil {
		return p, ""
	}
	for _, p = range open {
		n := len(path) - len(p.before) - len(p.after)
		if n <= 0 || !strings.HasPrefix(path, p.before) || !strings.HasSuffix(path, p.after) {
			continue
		}
		param = path[len(p.before) : len(p.before)+n]
		if strings.IndexByte(param, '/') < 0 {
			return p, param
		}
	}
	return nil, ""
}

// MatchRoute finds the route of a request, whose path comes decoded and
// without a query. The outcome is Approved, NoSuchCall (404) or
// MethodNotAllowed (405; Allowed gives the header). It does not allocate;
// param is a part of path.
func MatchRoute(method, path string) (route *Route, param string, outcome Code) {
	p, param := match(path)
	if p == nil {
		return nil, "", NoSuchCall
	}
	for _, r := range p.routes {
		if r.Method == method {
			return r, param, Approved
		}
	}
	return nil, "", MethodNotAllowed
}

// Allowed is the Allow header's value for a path: its methods, "" if there is
// no such path.
func Allowed(path string) string {
	if p, _ := match(path); p != nil {
		return p.allow
	}
	return ""
}

// RouteOf is the route of a call, nil if it has none (ISO only).
func RouteOf(call Call) *Route {
	for i := range Routes {
		if Routes[i].Call == call {
			return &Routes[i]
		}
	}
	return nil
}

package protocol

// The names of what is served as files, in the order in which callers are told
// of them. The gateway refuses any other, the reconciler makes these, and the
// OpenAPI document lists them.
var (
	// Exports are /v1/exports/{name}.
	Exports = []string{"operations", "grants", "reminders"}
	// Reports are /v1/reports/{name}.
	Reports = []string{"liability", "sales"}
)

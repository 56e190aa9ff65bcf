package protocol

// campaignAnswers are those about segments, grants and reminders.
func campaignAnswers() map[string]golden {
	const since = int64(1795177865) * 1e9 // 2026-11-20T12:31:05Z
	grant := GrantView{Name: "women's day", Segment: "risk", Reason: "8 March", Points: 30000, At: since, Every: "1y", Next: since + 60e9, Until: since + 120e9, Members: 4, Total: 120000}
	run := GrantRun{
		ID: 7, Grant: "women's day", Segment: "risk", Reason: "8 March", Status: "done", Version: 3, Publisher: "office", Occurrence: since, Began: since, Ended: since + 60e9,
		Members: 4, Given: 3, Skipped: 1, Points: 30000, Total: 90000,
	}
	const grantJSON = `"name":"women's day","segment":"risk","reason":"8 March","points":30000,"at":"2026-11-20T12:31:05Z","every":"1y",` +
		`"until":"2026-11-20T12:33:05Z","next":"2026-11-20T12:32:05Z","refused":null`
	const runJSON = `"id":"7","grant":"women's day","at":"2026-11-20T12:31:05Z","status":"done","why":null,"segment":"risk","reason":"8 March","points":30000,` +
		`"program_version":3,"published_by":"office","members":4,"given":3,"skipped":1,"failed":0,"total":90000,"began_at":"2026-11-20T12:31:05Z","ended_at":"2026-11-20T12:32:05Z"`
	withRun, once := grant, GrantView{Name: "once", Segment: "risk", Reason: "once", Points: 1, At: since, Why: "too much"}
	withRun.Last = &run
	return map[string]golden{
		"segments": {
			&Response{Call: CallListSegments, Campaign: &CampaignView{Segments: []SegmentView{{Name: "risk", Color: "red", Members: 4}, {Name: "all"}}}},
			`{"segments":[{"name":"risk","color":"red","members":4},{"name":"all","color":null,"members":0}]}`},
		"grants": {
			&Response{Call: CallListGrants, Campaign: &CampaignView{Grants: []GrantView{withRun, once}}},
			`{"grants":[{` + grantJSON + `,"last":{` + runJSON + `}},{"name":"once","segment":"risk","reason":"once","points":1,"at":"2026-11-20T12:31:05Z",` +
				`"every":null,"until":null,"next":null,"refused":"too much","last":null}]}`},
		"no grants": {&Response{Call: CallListGrants}, `{"grants":[]}`},
		"a grant's preview": {
			&Response{Call: CallPreviewGrant, Campaign: &CampaignView{Grants: []GrantView{grant}}}, `{` + grantJSON + `,"members":4,"total":120000}`},
		"runs": {
			&Response{Call: CallListRuns, Campaign: &CampaignView{Runs: []GrantRun{run}}, NextCursor: "7"}, `{"runs":[{` + runJSON + `}],"next":"7"}`},
		"reminders": {
			&Response{Call: CallListReminders, NextCursor: "9", Campaign: &CampaignView{Reminders: []Reminder{
				{ID: 9, Member: aMember, Before: "7d", Points: 500, Expires: since + 60e9, Made: since}}}},
			`{"reminders":[{"id":"9","member":"` + aMember + `","before":"7d","points":500,"expires_at":"2026-11-20T12:32:05Z","made_at":"2026-11-20T12:31:05Z"}],"next":"9"}`},
	}
}

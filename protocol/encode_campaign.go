package protocol

import "strconv"

// campaign renders what offices ask about segments, grants and reminders.
func (e *encoder) campaign(r *Response) {
	v := r.Campaign
	if v == nil {
		v = &CampaignView{}
	}
	switch {
	case r.Call == CallPreviewGrant && len(v.Grants) == 1:
		e.open('{')
		e.grant(&v.Grants[0])
		e.number("members", v.Grants[0].Members)
		e.number("total", v.Grants[0].Total)
		e.close('}')
	case r.Call == CallListSegments:
		e.segments(v)
	case r.Call == CallListRuns:
		e.runs(v, r.NextCursor)
	case r.Call == CallListReminders:
		e.reminders(v, r.NextCursor)
	default:
		e.grants(v)
	}
}

func (e *encoder) segments(v *CampaignView) {
	e.open('{')
	e.begin("segments", '[')
	for i := range v.Segments {
		s := &v.Segments[i]
		e.open('{')
		e.text("name", s.Name)
		e.textOrNull("color", s.Color)
		e.number("members", s.Members)
		e.close('}')
	}
	e.close(']')
	e.close('}')
}

func (e *encoder) grants(v *CampaignView) {
	e.open('{')
	e.begin("grants", '[')
	for i := range v.Grants {
		g := &v.Grants[i]
		e.open('{')
		e.grant(g)
		if g.Last == nil {
			e.null("last")
		} else {
			e.begin("last", '{')
			e.run(g.Last)
			e.close('}')
		}
		e.close('}')
	}
	e.close(']')
	e.close('}')
}

func (e *encoder) grant(g *GrantView) {
	e.text("name", g.Name)
	e.text("segment", g.Segment)
	e.text("reason", g.Reason)
	e.number("points", g.Points)
	e.instant("at", g.At)
	e.textOrNull("every", g.Every)
	e.instant("until", g.Until)
	e.instant("next", g.Next)
	e.textOrNull("refused", g.Why)
}

func (e *encoder) runs(v *CampaignView, next string) {
	e.open('{')
	e.begin("runs", '[')
	for i := range v.Runs {
		e.open('{')
		e.run(&v.Runs[i])
		e.close('}')
	}
	e.close(']')
	e.textOrNull("next", next)
	e.close('}')
}

func (e *encoder) run(g *GrantRun) {
	e.text("id", strconv.FormatInt(g.ID, 10))
	e.text("grant", g.Grant)
	e.instant("at", g.Occurrence)
	e.text("status", g.Status)
	e.textOrNull("why", g.Why)
	e.text("segment", g.Segment)
	e.text("reason", g.Reason)
	e.number("points", g.Points)
	e.number("program_version", int64(g.Version))
	e.textOrNull("published_by", g.Publisher)
	e.number("members", g.Members)
	e.number("given", g.Given)
	e.number("skipped", g.Skipped)
	e.number("failed", g.Failed)
	e.number("total", g.Total)
	e.instant("began_at", g.Began)
	e.instant("ended_at", g.Ended)
}

func (e *encoder) reminders(v *CampaignView, next string) {
	e.open('{')
	e.begin("reminders", '[')
	for i := range v.Reminders {
		m := &v.Reminders[i]
		e.open('{')
		e.text("id", strconv.FormatInt(m.ID, 10))
		e.text("member", m.Member)
		e.text("before", m.Before)
		e.number("points", m.Points)
		e.instant("expires_at", m.Expires)
		e.instant("made_at", m.Made)
		e.close('}')
	}
	e.close(']')
	e.textOrNull("next", next)
	e.close('}')
}

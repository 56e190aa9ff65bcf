package processor

import (
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// deed does what an office does about a member, or about the server.
func (d *day) deed(w words) []string {
	switch w.verb {
	case "stop":
		d.shut()
		return nil
	case "start":
		d.open()
		return nil
	case "change":
		return d.change(w)
	case "tier":
		r := d.office(protocol.CallSetTier, d.ids[w.about[0]].String())
		r.Tier, r.Reason = w.about[1], "by hand"
		r.Until = protocol.Time{Unix: d.date(w.args["until"]), Offset: 5 * 3600, Set: true}
		return d.brief(d.ask(r))
	}
	r := d.office(protocol.CallOperations, d.ids[w.about[0]].String())
	return d.tellOperations(d.ask(r))
}

// change changes a profile: change Anna birthday=2000-03-08 tags=a,b.
func (d *day) change(w words) []string {
	r := d.office(protocol.CallPatchMember, d.ids[w.about[0]].String())
	r.Profile = &protocol.Profile{}
	for key, v := range w.args {
		switch key {
		case "birthday":
			r.Profile.Birthday = &v
		case "tags":
			r.Profile.Tags, r.Profile.HasTags = strings.Split(v, ","), true
		default:
			require.Fail(d.t, "unknown word", key)
		}
	}
	return d.brief(d.ask(r))
}

func (d *day) brief(r *protocol.Response) []string {
	if !r.Code.OK() {
		return tell(r)
	}
	said := strconv.Itoa(r.HTTPStatus()) + " " + orElse(r.Status, "done")
	if r.Member.Tier != "" {
		said += ", tier " + r.Member.Tier
	}
	return []string{said}
}

// tellOperations tells the history, the newest first.
func (d *day) tellOperations(r *protocol.Response) (out []string) {
	var names []string
	for name, id := range d.ids {
		names = append(names, id.String(), name)
	}
	named := strings.NewReplacer(names...)
	for _, o := range r.Operations {
		s := time.Unix(0, o.At).In(almaty).Format("2006-01-02 15:04") + " " + o.Kind + " " + o.Status + ", points " + decimal(o.Points)
		if o.Reason != "" {
			s += ", " + named.Replace(o.Reason)
		}
		out = append(out, s)
	}
	return out
}

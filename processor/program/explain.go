package program

import "tillgate/protocol"

// perLine is what of a rule's figure, spread in out, falls on each line; nil
// unless the request asks for explanation.
func (j *judge) perLine(points bool) []protocol.RuleLine {
	if !j.r.Explain || len(j.r.Lines) == 0 {
		return nil
	}
	from := len(j.shown)
	for i, v := range j.out {
		if v == 0 {
			continue
		}
		one := protocol.RuleLine{ID: j.lines[i].ID, Line: i + 1}
		if points {
			one.Points = v
		} else {
			one.Discount = v
		}
		j.shown = append(j.shown, one)
	}
	// What an earlier rule was given stays where it is if the list moves.
	return j.shown[from:len(j.shown):len(j.shown)]
}

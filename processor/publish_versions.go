package processor

import (
	"strconv"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// The published versions of a merchant's programme: which there are, what one
// of them says, and what two differ in.

var (
	_ = serve(protocol.CallGetProgram, plan{direct: getProgram})
	_ = serve(protocol.CallProgramVersions, plan{direct: listPrograms})
	_ = serve(protocol.CallProgramDiff, plan{direct: diffPrograms})
)

// versionNumber reads a version's number as people write it: from 1, without
// signs and leading zeros.
func versionNumber(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil && n > 0 && s == strconv.FormatUint(n, 10)
}

// row is a merchant's published version by its number; nil if there is none.
func (s *Switch) row(merchant string, number uint32) (*ledger.Program, error) {
	list, err := s.ledger.Programs(merchant)
	for i := range list {
		if list[i].Version == number {
			return &list[i], err
		}
	}
	return nil, err
}

// view is what answers say about a version.
func (s *Switch) view(row *ledger.Program) protocol.ProgramVersion {
	v := protocol.ProgramVersion{
		Version: row.Version, EffectiveFrom: row.From, Published: row.Published,
		Hash: programHash(row.Doc), Actor: row.Actor,
	}
	all := s.programs.published(row.Merchant)
	if p, ok := all.Number(row.Version); ok {
		v.Name = p.Program.Name()
	}
	now, ok := all.At(s.o.Clock())
	v.InForce = ok && now.Number == row.Version
	return v
}

// getProgram answers with a version's document, byte for byte as it was
// published; without a number with the newest, which need not be in force yet:
// it is the one that a change begins from.
func getProgram(t *Task) error {
	r, out := t.request(), t.response()
	var row *ledger.Program
	var err error
	if r.Version != 0 {
		row, err = t.s.row(r.Caller.Merchant, r.Version)
	} else {
		row, err = t.s.newest(r.Caller.Merchant)
	}
	switch {
	case err != nil:
		return err
	case row != nil:
		out.Document, out.ETag, out.ProgramVersion = row.Doc, etag(row), row.Version
	case r.Version != 0:
		t.refuse(protocol.NotFound, "version", "there is no such version; GET /v1/program/versions lists them")
	case t.s.o.Dev:
		out.Document, out.ETag = program.Sample, `"0-`+programHash(program.Sample)+`"`
	default:
		t.refuse(protocol.NotFound, "", "no programme is published yet")
	}
	return nil
}

// listPrograms lists every published version, the oldest first.
func listPrograms(t *Task) error {
	list, err := t.s.ledger.Programs(t.request().Caller.Merchant)
	if err != nil {
		return err
	}
	r := t.response()
	for i := range list {
		r.Versions = append(r.Versions, t.s.view(&list[i]))
	}
	return nil
}

// diffPrograms tells what two versions differ in. Without a newer one it is
// the newest; without an older one, the one before that.
func diffPrograms(t *Task) error {
	r, out := t.request(), t.response()
	list, err := t.s.ledger.Programs(r.Caller.Merchant)
	if err != nil {
		return err
	}
	to := r.Against
	if to == 0 && len(list) > 0 {
		to = list[len(list)-1].Version
	}
	from := r.Version
	if from == 0 && to > 0 {
		from = to - 1
	}
	var docs [2][]byte
	for i, side := range []struct {
		field  string
		number uint32
	}{{"from", from}, {"to", to}} {
		row, err := t.s.row(r.Caller.Merchant, side.number)
		switch {
		case err != nil:
			return err
		case row == nil:
			t.refuse(protocol.NotFound, side.field, "there is no such version; GET /v1/program/versions lists them")
			return nil
		}
		docs[i] = row.Doc
		out.Versions = append(out.Versions, t.s.view(row))
	}
	out.Changes, err = program.Diff(docs[0], docs[1])
	return err
}

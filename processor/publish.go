package processor

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// Publication of programmes. The document goes into the ledger first; then
// every partition's journal gets a record of it; then decisions see it. A
// crash in between leaves a version that the next start takes up: it is in
// force from then on, and New completes its records. What fails in between is
// taken up by the next publication.

var (
	_ = serve(protocol.CallGetProgram, plan{direct: getProgram})
	_ = serve(protocol.CallPutProgram, plan{direct: putProgram})
	_ = serve(protocol.CallCheckProgram, plan{direct: checkProgram})
	_ = serve(protocol.CallProgramVersions, plan{direct: listPrograms})
)

// programHash names a document's exact bytes.
func programHash(doc []byte) string {
	h := sha256.Sum256(doc)
	return hex.EncodeToString(h[:8])
}

// etag is the entity tag of a published version.
func etag(row *ledger.Program) string {
	return fmt.Sprintf(`"%d-%s"`, row.Version, programHash(row.Doc))
}

// newest is the merchant's newest published document; nil without one.
func (s *Switch) newest(merchant string) (*ledger.Program, error) {
	list, err := s.ledger.Programs(merchant)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[len(list)-1], nil
}

func getProgram(t *Task) error {
	row, err := t.s.newest(t.request().Caller.Merchant)
	if err != nil {
		return err
	}
	r := t.response()
	switch {
	case row != nil:
		r.Document, r.ETag, r.ProgramVersion = row.Doc, etag(row), row.Version
	case t.s.o.Dev:
		r.Document, r.ETag = program.Sample, `"0-`+programHash(program.Sample)+`"`
	default:
		t.refuse(protocol.NotFound, "", "no programme is published yet")
	}
	return nil
}

func checkProgram(t *Task) error {
	_, problems := program.Compile(t.request().Document)
	t.response().Problems = problems
	return nil
}

func listPrograms(t *Task) error {
	list, err := t.s.ledger.Programs(t.request().Caller.Merchant)
	if err != nil {
		return err
	}
	r := t.response()
	for i := range list {
		r.Versions = append(r.Versions, t.s.versionView(&list[i]))
	}
	return nil
}

func (s *Switch) versionView(row *ledger.Program) protocol.ProgramVersion {
	v := protocol.ProgramVersion{
		Version: row.Version, EffectiveFrom: row.From, Published: row.Published, Hash: programHash(row.Doc),
	}
	if p, ok := s.programs.published(row.Merchant).Number(row.Version); ok {
		v.Name = p.Program.Name()
	}
	return v
}

// putProgram publishes a document. The same document again changes nothing.
func putProgram(t *Task) error {
	r, out := t.request(), t.response()
	compiled, problems := program.Compile(r.Document)
	if compiled == nil {
		t.refuse(protocol.InvalidRequest, "", "the programme is refused; the errors say where and what to do")
		out.Problems = problems
		if len(problems) > 0 {
			out.Field = problems[0].Path
		}
		return nil
	}
	t.s.programs.publish.Lock()
	defer t.s.programs.publish.Unlock()
	if err := t.s.takeUp(r.Caller.Merchant); err != nil {
		return err
	}
	last, err := t.s.newest(r.Caller.Merchant)
	if err != nil {
		return err
	}
	if !matches(r.IfMatch, last) {
		t.refuse(protocol.PreconditionFailed, "", "the programme has changed since it was read; read it again")
		return nil
	}
	row := &ledger.Program{
		Merchant: strings.Clone(r.Caller.Merchant), Version: 1, Published: t.s.o.Clock(),
		Actor: strings.Clone(r.Caller.Key), Doc: append([]byte(nil), r.Document...),
	}
	if last != nil {
		row.Version = last.Version + 1
		if string(last.Doc) == string(row.Doc) {
			row = last
		}
	}
	if row != last {
		row.From = row.Published
		if from, dated := compiled.EffectiveFrom(); dated {
			row.From = from
		}
		if err := t.s.announce(row, compiled); err != nil {
			return err
		}
	}
	if kept, longer := t.s.lengthen(); longer {
		out.Warnings = append(out.Warnings, fmt.Sprintf("duplicate keys are now kept for %s, because messages may come that late", kept))
	}
	out.Versions = append(out.Versions, t.s.versionView(row))
	out.ETag, out.ProgramVersion = etag(row), row.Version
	return nil
}

// matches reports whether If-Match allows a change of the newest version.
func matches(ifMatch string, last *ledger.Program) bool {
	switch {
	case ifMatch == "":
		return true
	case last == nil:
		return false
	case ifMatch == "*":
		return true
	}
	for _, tag := range strings.Split(ifMatch, ",") {
		if strings.TrimSpace(tag) == etag(last) {
			return true
		}
	}
	return false
}

// announce stores a version, records it in every partition and makes it known
// to decisions.
func (s *Switch) announce(row *ledger.Program, compiled *program.Program) error {
	if err := s.ledger.PutProgram(*row); err != nil {
		return err
	}
	return s.bringIn(row, compiled)
}

// takeUp brings in versions that are stored and not known to decisions: their
// publication failed half-way. The caller has the publication's lock.
func (s *Switch) takeUp(merchant string) error {
	list, err := s.ledger.Programs(merchant)
	if err != nil {
		return err
	}
	for i := range list {
		row := &list[i]
		if _, known := s.programs.published(merchant).Number(row.Version); known {
			continue
		}
		compiled, problems := program.Compile(row.Doc)
		if compiled == nil {
			return fmt.Errorf("programme version %d of merchant %q does not compile: %v", row.Version, row.Merchant, problems)
		}
		if err := s.bringIn(row, compiled); err != nil {
			return err
		}
	}
	return nil
}

// bringIn records a stored version in every partition and makes it known to
// decisions.
func (s *Switch) bringIn(row *ledger.Program, compiled *program.Program) error {
	if err := s.recordProgram(row); err != nil {
		return err
	}
	s.programs.put(row.Merchant, program.Version{Number: row.Version, Published: row.Published, Program: compiled})
	return nil
}

// keepKeys is how long duplicate keys are kept at least; longer where the
// ledger's options say so.
const keepKeys = 7 * 24 * time.Hour

// lengthen keeps duplicate keys for as long as a late message may come under
// any version of any programme. It never shortens.
func (s *Switch) lengthen() (kept time.Duration, longer bool) {
	kept = time.Duration(s.kept.Load())
	for _, versions := range *s.programs.all.Load() {
		for _, v := range versions.All() {
			_, longest := v.Program.Holds()
			kept = max(kept, v.Program.Backdate()+longest)
		}
	}
	longer = s.kept.Swap(int64(kept)) < int64(kept)
	s.ledger.SetDupRetention(int64(kept))
	return kept, longer
}

// announcedKey is the meta key that says a version's records are complete.
func announcedKey(row *ledger.Program) string {
	return fmt.Sprintf("program/%s/%d/announced", row.Merchant, row.Version)
}

// recordProgram records a version in every partition and notes that it has.
func (s *Switch) recordProgram(row *ledger.Program) error {
	var wait sync.WaitGroup
	failed := make(chan error, s.partitions)
	for p := range s.partitions {
		wait.Add(1)
		task := &programTask{row: row, done: func(err error) {
			if err != nil {
				failed <- err
			}
			wait.Done()
		}}
		if err := s.ledger.Submit(p, task); err != nil {
			task.done(err)
		}
	}
	wait.Wait()
	select {
	case err := <-failed:
		return fmt.Errorf("a programme's record: %w", err)
	default:
		return s.ledger.PutMeta(announcedKey(row), []byte{1})
	}
}

// completePrograms records versions whose publication was cut short.
func (s *Switch) completePrograms() error {
	for _, merchant := range s.programs.merchants() {
		list, err := s.ledger.Programs(merchant)
		if err != nil {
			return err
		}
		for i := range list {
			done, err := s.ledger.Meta(announcedKey(&list[i]))
			if err != nil {
				return err
			}
			if len(done) > 0 {
				continue
			}
			if err := s.recordProgram(&list[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// programTask records a published version in one partition.
type programTask struct {
	row  *ledger.Program
	done func(error)
}

func (p *programTask) Decide(tx *ledger.Tx) error {
	op := ledger.Operation{
		Kind: ledger.KindProgram, Render: renderVersion, At: p.row.Published, Merchant: p.row.Merchant,
		Program: p.row.Version, Actor: p.row.Actor, Status: "published", Data: []byte(programHash(p.row.Doc)),
	}
	_, err := tx.Append(&op)
	return err
}

func (p *programTask) Done(err error) { p.done(err) }

package processor

import (
	"bytes"
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
	_ = serve(protocol.CallPutProgram, plan{direct: putProgram})
	_ = serve(protocol.CallCheckProgram, plan{direct: checkProgram})
	_ = serve(protocol.CallRestoreProgram, plan{
		kind: ledger.KindProgram, keyed: true, direct: restoreProgram, complete: completeRestored,
	})
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

func checkProgram(t *Task) error {
	_, problems := program.Compile(t.request().Document)
	t.response().Problems = problems
	return nil
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
	last, err := t.latest()
	if err != nil || t.refused() {
		return err
	}
	row := last
	if last == nil || string(last.Doc) != string(r.Document) {
		row = t.nextVersion(last, r.Document)
		if from, dated := compiled.EffectiveFrom(); dated {
			row.From = from
		}
		if err := t.s.announce(row, compiled, nil); err != nil {
			return err
		}
		out.Warnings = append(out.Warnings, pastGrants(compiled, t.s.o.Clock())...)
	}
	t.published(row)
	return nil
}

// restoreProgram publishes the document of an older version again, as a new
// one that is in force at once, whatever date the document gives itself: who
// goes back wants to be back, and past receipts keep the version that they
// were sold under. If the newest version is that document and in force, it
// stays the newest, and only the request is remembered.
func restoreProgram(t *Task) error {
	r := t.request()
	number, ok := versionNumber(r.Target)
	if !ok {
		t.refuse(protocol.InvalidRequest, "version", "a version is a number from 1; GET /v1/program/versions lists them")
		return nil
	}
	t.s.programs.publish.Lock()
	defer t.s.programs.publish.Unlock()
	last, err := t.latest()
	if err != nil || t.refused() {
		return err
	}
	old, err := t.s.row(r.Caller.Merchant, number)
	if err != nil {
		return err
	}
	if old == nil {
		t.refuse(protocol.NotFound, "version", "there is no such version; GET /v1/program/versions lists them")
		return nil
	}
	row := last
	if string(last.Doc) != string(old.Doc) || !t.s.view(last).InForce {
		row = t.nextVersion(last, old.Doc)
		compiled, problems := program.Compile(row.Doc)
		if compiled == nil {
			return fmt.Errorf("programme version %d of merchant %q does not compile: %v", old.Version, old.Merchant, problems)
		}
		err = t.s.announce(row, compiled, t)
	} else {
		err = t.s.recordIn(t.partition, &programTask{row: row, task: t})
	}
	if err != nil {
		return err
	}
	// No keys need be kept for longer: the document has been published before.
	t.answer()
	return nil
}

// completeRestored fills the answer to a restore from the version that its
// record names. What a row of a version says never changes, so a repeat gets
// the same.
func completeRestored(t *Task) {
	row, err := t.s.row(t.op.Merchant, t.op.Program)
	if err != nil || row == nil {
		return // the record alone still names the version
	}
	v := t.s.view(row)
	v.InForce = true // it was when this was answered first, and a repeat says the same
	r := t.response()
	r.Call = protocol.CallRestoreProgram
	r.Versions = append(r.Versions[:0], v)
	r.ETag = etag(row)
}

// latest brings in what an earlier publication has left half done, and finds
// the merchant's newest version, nil without one. It refuses a change that was
// made for another one (If-Match). The caller has the publication's lock.
func (t *Task) latest() (*ledger.Program, error) {
	merchant := t.request().Caller.Merchant
	if err := t.s.takeUp(merchant); err != nil {
		return nil, err
	}
	last, err := t.s.newest(merchant)
	if err == nil && !matches(t.request().IfMatch, last) {
		t.refuse(protocol.PreconditionFailed, "", "the programme has changed since it was read; read it again")
	}
	return last, err
}

// nextVersion is the row of a document that follows the newest version, in
// force from now.
func (t *Task) nextVersion(last *ledger.Program, doc []byte) *ledger.Program {
	caller, now := &t.request().Caller, t.s.o.Clock()
	row := &ledger.Program{
		Merchant: strings.Clone(caller.Merchant), Version: 1, Published: now, From: now,
		Actor: strings.Clone(caller.Key), Doc: bytes.Clone(doc),
	}
	if last != nil {
		row.Version = last.Version + 1
	}
	return row
}

// published answers with a version.
func (t *Task) published(row *ledger.Program) {
	out := t.response()
	if kept, longer := t.s.lengthen(); longer {
		out.Warnings = append(out.Warnings, fmt.Sprintf("duplicate keys are now kept for %s, because messages may come that late", kept))
	}
	out.Versions = append(out.Versions[:0], t.s.view(row))
	out.ETag, out.ProgramVersion = etag(row), row.Version
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
// to decisions. The record in the request's own partition remembers the
// request; nil where none is to be remembered.
func (s *Switch) announce(row *ledger.Program, compiled *program.Program, by *Task) error {
	if err := s.ledger.PutProgram(*row); err != nil {
		return err
	}
	return s.bringIn(row, compiled, by)
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
		if err := s.bringIn(row, compiled, nil); err != nil {
			return err
		}
	}
	return nil
}

// bringIn records a stored version in every partition and makes it known to
// decisions.
func (s *Switch) bringIn(row *ledger.Program, compiled *program.Program, by *Task) error {
	if err := s.recordProgram(row, by); err != nil {
		return err
	}
	s.programs.put(row.Merchant, program.Version{
		Number: row.Version, Published: row.Published, Effective: row.From, Program: compiled,
	})
	s.walks.wanted()
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
// The request's own partition comes last: its record remembers the request, so
// it is there only once all others are.
func (s *Switch) recordProgram(row *ledger.Program, by *Task) error {
	var wait sync.WaitGroup
	failed := make(chan error, s.partitions)
	for p := range s.partitions {
		if by != nil && p == by.partition {
			continue
		}
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
	var err error
	select {
	case err = <-failed:
	default:
		if by != nil {
			err = s.recordIn(by.partition, &programTask{row: row, task: by})
		}
	}
	if err != nil {
		return fmt.Errorf("a programme's record: %w", err)
	}
	return s.ledger.PutMeta(announcedKey(row), []byte{1})
}

// recordIn records in one partition and waits until it is on disk.
func (s *Switch) recordIn(partition int, task *programTask) error {
	done := make(chan error, 1)
	task.done = func(err error) { done <- err }
	if err := s.ledger.Submit(partition, task); err != nil {
		return err
	}
	return <-done
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
			if err := s.recordProgram(&list[i], nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// programTask records a published version in one partition. With task it is
// the record that answers the task's request.
type programTask struct {
	row  *ledger.Program
	task *Task
	done func(error)
}

func (p *programTask) Decide(tx *ledger.Tx) error {
	op := ledger.Operation{
		Kind: ledger.KindProgram, Render: renderVersion, At: p.row.Published, Merchant: p.row.Merchant,
		Program: p.row.Version, Actor: p.row.Actor, Status: "published", Data: []byte(programHash(p.row.Doc)),
	}
	if p.task != nil {
		p.task.remember(&op)
	}
	_, err := tx.Append(&op)
	if p.task != nil && err == nil {
		p.task.op = op
	}
	return err
}

func (p *programTask) Done(err error) { p.done(err) }

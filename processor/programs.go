package processor

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"tillgate/ledger"
	"tillgate/processor/program"
)

// programs holds every merchant's published programme versions, compiled. A
// snapshot never changes: publishing makes a new one and swaps it in, so that
// a decision takes no lock and sees one set of versions from its beginning to
// its end.
type programs struct {
	publish sync.Mutex // one publication at a time
	write   sync.Mutex // one swap at a time
	all     atomic.Pointer[map[string]program.Versions]
	// sample is what merchants get that have published nothing, on a developer's
	// machine.
	sample *program.Versions
}

// newPrograms loads what the ledger has. A stored programme that no longer
// compiles stops the start: deciding by another one would be worse.
func newPrograms(l *ledger.Ledger, dev bool) (*programs, error) {
	p := &programs{}
	all := map[string]program.Versions{}
	rows, err := l.AllPrograms()
	if err != nil {
		return nil, err
	}
	for i := range rows {
		row := &rows[i]
		compiled, problems := program.Compile(row.Doc)
		if compiled == nil {
			return nil, fmt.Errorf("programme version %d of merchant %q does not compile: %v", row.Version, row.Merchant, problems)
		}
		all[row.Merchant] = all[row.Merchant].With(program.Version{
			Number: row.Version, Published: row.Published, Effective: row.From, Program: compiled,
		})
	}
	p.all.Store(&all)
	if dev {
		sample, problems := program.Compile(program.Sample)
		if sample == nil {
			return nil, fmt.Errorf("the sample programme does not compile: %v", problems)
		}
		v := program.Versions{}.With(program.Version{Number: 0, Program: sample})
		p.sample = &v
	}
	return p, nil
}

// of are a merchant's versions; the sample's where there are none, if allowed.
func (p *programs) of(merchant string) program.Versions {
	v := (*p.all.Load())[merchant]
	if v.Len() == 0 && p.sample != nil {
		return *p.sample
	}
	return v
}

// published are a merchant's own versions, without the sample.
func (p *programs) published(merchant string) program.Versions {
	return (*p.all.Load())[merchant]
}

// merchants are those that have published a programme, and the nameless one.
func (p *programs) merchants() []string {
	list := []string{""}
	for m := range *p.all.Load() {
		if m != "" {
			list = append(list, m)
		}
	}
	return list
}

// at is the version in force at a moment; false if the merchant has none.
func (p *programs) at(merchant string, at int64) (program.Version, bool) {
	return p.of(merchant).At(at)
}

// number is a version by its number, for what was decided under it; if it is
// gone, the one in force at the moment of that decision.
func (p *programs) number(merchant string, n uint32, at int64) (program.Version, bool) {
	all := p.of(merchant)
	if v, ok := all.Number(n); ok {
		return v, true
	}
	return all.At(at)
}

// put makes a version known to decisions. The ledger has it already.
func (p *programs) put(merchant string, v program.Version) {
	p.write.Lock()
	defer p.write.Unlock()
	next := maps.Clone(*p.all.Load())
	next[merchant] = next[merchant].With(v)
	p.all.Store(&next)
}

// zone is the time zone of the merchant's newest programme; nil without one.
func (p *programs) zone(merchant string) *time.Location {
	all := p.of(merchant).All()
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1].Program.Zone()
}

// backdate is how old an offline receipt may be, by the programme in force
// now, in nanoseconds.
func (p *programs) backdate(merchant string, now int64) int64 {
	if v, ok := p.at(merchant, now); ok {
		return int64(v.Program.Backdate())
	}
	return 0
}

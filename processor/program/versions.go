package program

// Version is one published version of a programme.
type Version struct {
	Number    uint32
	Published int64 // unix ns
	// Effective is from when it may be in force where that isn't what its
	// document says: a restored version begins when it is restored. 0: as From
	// has it. Unix ns.
	Effective int64
	Program   *Program
}

// From is the moment from which the version may be in force, unix ns: what
// its document says, else its publication.
func (v Version) From() int64 {
	if v.Effective != 0 {
		return v.Effective
	}
	if from, ok := v.Program.EffectiveFrom(); ok {
		return from
	}
	return v.Published
}

// Versions are the published versions of one programme, in ascending order of
// their numbers. The zero value has none. It never changes: [Versions.With]
// makes another.
type Versions struct {
	list []Version
}

// With is these versions and one more. A version of the same number is
// replaced.
func (v Versions) With(add Version) Versions {
	list := make([]Version, 0, len(v.list)+1)
	placed := false
	for _, old := range v.list {
		if !placed && old.Number >= add.Number {
			list = append(list, add)
			placed = true
		}
		if old.Number != add.Number {
			list = append(list, old)
		}
	}
	if !placed {
		list = append(list, add)
	}
	return Versions{list}
}

// Len is the number of versions.
func (v Versions) Len() int { return len(v.list) }

// All are the versions in ascending order; not to be changed.
func (v Versions) All() []Version { return v.list }

// At is the version in force at a moment: the highest whose From is not after
// it; before the first, the first. False only if there is none at all.
func (v Versions) At(at int64) (Version, bool) {
	if len(v.list) == 0 {
		return Version{}, false
	}
	for i := len(v.list) - 1; i >= 0; i-- {
		if v.list[i].From() <= at {
			return v.list[i], true
		}
	}
	return v.list[0], true
}

// Number finds a version by its number.
func (v Versions) Number(n uint32) (Version, bool) {
	for _, one := range v.list {
		if one.Number == n {
			return one, true
		}
	}
	return Version{}, false
}

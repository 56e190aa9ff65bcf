package processor

import (
	"fmt"
	"time"

	"tillgate/ledger"
	"tillgate/processor/program"
)

// person is what rules may ask of a profile. It is noted beside the account in
// memory, so that a regular's profile is decrypted once, and only under a
// programme that asks.
type person struct {
	month, day uint8 // of the birthday; 0 if it is not known
	tags       []string
}

func (p *profile) person() *person {
	out := &person{tags: p.Tags}
	if d, err := time.Parse(time.DateOnly, p.Birthday); err == nil {
		out.month, out.day = uint8(d.Month()), uint8(d.Day())
	}
	return out
}

// tell fills the facts.
func (p *person) tell(f *program.Facts) {
	f.BirthMonth, f.BirthDay, f.Tags = p.month, p.day, p.tags
}

// personOf is what is known about an account's member.
func personOf(tx *ledger.Tx, id ledger.AccountID) (*person, error) {
	if known, ok := tx.Note(id).(*person); ok {
		return known, nil
	}
	prof, err := txProfile(tx, id)
	if err != nil {
		return nil, err
	}
	p := prof.person()
	tx.SetNote(id, p)
	return p, nil
}

// knowPerson adds to the facts who is above the member, and what rules ask of the
// member's profile; a is nil for a member who would be made.
func (t *Task) knowPerson(tx *ledger.Tx, a *ledger.Account) error {
	t.upline = t.upline[:0]
	if a == nil {
		return nil
	}
	var err error
	if t.version.Program.ReferralLevels() > 0 {
		if t.upline, err = t.s.upline(a, t.upline); err != nil {
			return fmt.Errorf("who is above account %s can't be read: %w", a.ID, err)
		}
	}
	t.facts.Above = len(t.upline)
	if !t.version.Program.NeedsProfile() {
		return nil
	}
	p, err := personOf(tx, a.ID)
	if err != nil {
		return err
	}
	p.tell(&t.facts)
	return nil
}

// tellSums fills the facts that an account's record holds.
func tellSums(f *program.Facts, a *ledger.Account) {
	f.Registered, f.Joined, f.Above = a.Registered, a.Joined, len(a.Upline)
	f.AssignedTier, f.AssignedUntil = a.Tier, a.TierUntil
	f.Lifetime = a.Lifetime
	f.LastPurchase, f.FirstPurchase = a.LastPurchase, a.Purchases == 0
	for _, d := range a.Days {
		f.Days = append(f.Days, program.DaySum(d))
	}
	for _, c := range a.Counts {
		f.Counts = append(f.Counts, program.Count(c))
	}
}

package processor

import (
	"time"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// What the switch knows beside the books, for those who read the books by its
// side (processor/whatif). All of it is as it is now and may be called from
// any goroutine.

// Store is a store's row in the merchant's directory: zone is nil where it
// names none.
func (s *Switch) Store(merchant, store string) (zone *time.Location, group, partner string) {
	if row := s.directories.of(merchant).stores[store]; row != nil {
		return row.zone, row.Group, row.Partner
	}
	return nil, "", ""
}

// Describe fills what a line leaves out from the merchant's product directory,
// as it is done when a receipt is judged. The line's tags are the directory's
// then: only to be read.
func (s *Switch) Describe(merchant string, l *protocol.Line) {
	if p := s.directories.of(merchant).products[l.SKU]; p != nil && l.SKU != "" {
		p.describe(l)
	}
}

// Codes appends the promo codes of a record that a programme knows too. One
// that was used up is so still; nothing else is known of it.
func (s *Switch) Codes(op *ledger.Operation, p *program.Program, uses []program.PromoUse) []program.PromoUse {
	var h holdData
	if len(op.Data) == 0 || op.Data[0]&saidFollows == 0 || decodeHoldData(op.Data, &h) != nil {
		return uses
	}
	for i := range h.said.promos {
		k := &h.said.promos[i]
		entry, ok := p.PromoNamed(k.name, k.series)
		if !ok {
			continue
		}
		u := program.PromoUse{Code: k.name, Entry: entry, Coupon: k.coupon}
		for _, why := range []program.PromoRefusal{program.PromoUsedUp, program.PromoRepeated} {
			if k.refused == why.String() {
				u.Refused = why
			}
		}
		uses = append(uses, u)
	}
	return uses
}

// Tiers appends the tiers that the promo codes of a record have given or, of a
// hold, promised.
func (s *Switch) Tiers(op *ledger.Operation, tiers []program.CodeTier) []program.CodeTier {
	var h holdData
	if len(op.Data) == 0 || op.Data[0]&saidFollows == 0 || decodeHoldData(op.Data, &h) != nil {
		return tiers
	}
	v, ok := s.programs.number(op.Merchant, op.Program, op.At)
	for i := range h.said.promos {
		k := &h.said.promos[i]
		if k.refused != "" || k.tier == "" || !ok {
			continue
		}
		if entry, known := v.Program.PromoNamed(k.name, k.series); known {
			tiers = append(tiers, program.CodeTier{
				Name: k.name, Series: k.series, Coupon: k.coupon, Gives: v.Program.PromoGives(entry, op.At),
			})
		}
	}
	return tiers
}

// Person is what rules may ask of a member's profile: month and day of the
// birthday, 0 where it isn't known, and tags.
func (s *Switch) Person(id ledger.AccountID) (month, day uint8, tags []string) {
	plain, err := s.ledger.Profile(id)
	if err != nil || len(plain) == 0 {
		return 0, 0, nil
	}
	prof, err := decodeProfile(plain)
	if err != nil {
		s.o.Logger.Error("a profile can't be read", "account", id, "cause", err)
		return 0, 0, nil
	}
	p := prof.person()
	return p.month, p.day, p.tags
}

// Merged are the members who are one with another since op brought there what
// they had; nobody, if it is no such record or its source is no longer kept.
func (s *Switch) Merged(op *ledger.Operation) []ledger.AccountID {
	var from ledger.Operation
	if found, err := s.ledger.Operation(op.Source, &from); err != nil || !found || from.Kind != ledger.KindMerge {
		if err != nil {
			s.o.Logger.Error("where points came from can't be read", "operation", op.Source, "cause", err)
		}
		return nil
	}
	one, err := s.oneWith(op.Merchant, from.Account, maxHops)
	if err != nil {
		s.o.Logger.Error("who was merged into a member can't be read", "account", from.Account, "cause", err)
		return []ledger.AccountID{from.Account}
	}
	return one
}

// Versions are a merchant's published programmes.
func (s *Switch) Versions(merchant string) program.Versions { return s.programs.of(merchant) }

// Promised tells what the record of a hold or a sale keeps beside its figures:
// how the member was named, NoIdentifier where it doesn't tell, and the earned
// lots with a term of their own.
func (s *Switch) Promised(op *ledger.Operation) (kind protocol.IdentifierKind, spendByID bool, more []ledger.LotPart) {
	var h holdData
	if len(op.Data) == 0 || decodeHoldData(op.Data, &h) != nil {
		return protocol.NoIdentifier, false, nil
	}
	return h.kind, h.spendByID, h.more
}

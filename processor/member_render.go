package processor

import (
	"tillgate/ledger"
	"tillgate/protocol"
)

// renderMember makes the answer of member and office calls from their record.
// It is part of render, and like it gives the same answer for a repeat.
func renderMember(op *ledger.Operation, r *protocol.Response) {
	r.Member.ID = op.Account.String()
	r.ID = r.Member.ID
	if op.Account != 0 {
		r.Balance, r.HasBalance = balanceView(op.After), true
	}
	switch op.Kind {
	case ledger.KindEnrol, ledger.KindRegister:
		r.Call, r.Created, r.HasMember = protocol.CallCreateMember, true, true
		r.Member.Registered = op.Registered
		r.Member.Tier = op.Tier
		renderRules(op, r)
	case ledger.KindProfile:
		r.Call = protocol.CallPatchMember
	case ledger.KindErase:
		r.Call = protocol.CallDeleteMember
	case ledger.KindCode:
		if r.Created = true; op.Account == 0 {
			r.Call, r.ID, r.Member.ID = protocol.CallCoupons, op.ID.String(), ""
			return
		}
		r.Call = protocol.CallIssueCode
		r.ExpiresAt = protocol.Time{Unix: op.HoldUntil, Offset: op.Offset, Set: true}
	case ledger.KindEvent:
		r.Call, r.Member.Tier = protocol.CallMemberEvent, op.Tier
		r.Points = op.Points
		renderRules(op, r)
		for i := range op.Gifts {
			l := &op.Gifts[i].Part
			r.EarnedLots = append(r.EarnedLots, protocol.LotView{Points: l.Points, Active: l.Active, Expires: l.Expires})
		}
	case ledger.KindTier:
		r.Call, r.Member.Tier = protocol.CallSetTier, op.Tier
		r.ExpiresAt = protocol.Time{Unix: op.TierUntil, Offset: op.Offset, Set: op.TierUntil != 0}
	case ledger.KindMerge:
		r.Call = protocol.CallMerge
		if op.Render < 2 {
			r.Parent = op.Into.String()
		} else {
			r.Into = op.Into.String()
		}
	case ledger.KindAdjust:
		r.Call, r.Points = protocol.CallAdjust, op.Points
		r.ID = op.ID.String()
		if op.Points > 0 {
			r.EarnedLots = append(r.EarnedLots, protocol.LotView{
				Points: op.EarnedLot.Points, Active: op.EarnedLot.Active, Expires: op.EarnedLot.Expires,
			})
		}
	case ledger.KindResolve:
		r.Call, r.ID, r.HasBalance = protocol.CallResolveParked, op.Target.String(), false
		if op.Parent != 0 {
			r.Parent = op.Parent.String()
		}
	case ledger.KindCard:
		r.Created = r.Call != protocol.CallPatchCard
		if rec, err := decodeCard(op.Data); err == nil {
			r.Card = rec.view()
		}
		if op.Account == 0 {
			r.ID, r.Member.ID = op.ID.String(), ""
		}
	}
}

// renderRules names what an event has given.
func renderRules(op *ledger.Operation, r *protocol.Response) {
	for _, x := range op.Rules {
		r.Rules = append(r.Rules, protocol.RuleResult{Rule: x.Name, Points: x.Points, Discount: x.Discount})
	}
}

// completeEnrol puts the referral code, which is made of the member's id by a
// keyed hash and stands in no record, into the answer to a registration, and
// what became of the promo code.
func completeEnrol(t *Task) {
	t.tellPromos()
	t.response().Member.ReferralCode = t.s.referralCode(t.op.Merchant, t.op.Account)
}

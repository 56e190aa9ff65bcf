package processor

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tillgate/protocol"
)

// profile is a member's personal data, and the list of what leads to the
// member, so that an erasure finds all of it. The ledger keeps it encrypted
// and outside the journal. It is JSON inside: read rarely, extended often.
type profile struct {
	Version    int             `json:"v"`
	Phone      string          `json:"phone,omitempty"`
	Email      string          `json:"email,omitempty"`
	Name       string          `json:"name,omitempty"`
	Birthday   string          `json:"birthday,omitempty"` // YYYY-MM-DD
	Sex        string          `json:"sex,omitempty"`
	ExternalID string          `json:"external_id,omitempty"`
	Tags       []string        `json:"tags,omitempty"`
	Consent    map[string]bool `json:"consent,omitempty"`
	PromoCode  string          `json:"promo_code,omitempty"`
	Source     string          `json:"source,omitempty"` // of the promo code: where the member comes from
	Referral   string          `json:"referral_code,omitempty"`
	Cards      []profileCard   `json:"cards,omitempty"`
}

// profileCard is a card of the member; its state lives with its link.
type profileCard struct {
	Number string `json:"number"`
	Type   string `json:"type,omitempty"`
}

// identifiers are all that lead to the member.
func (p *profile) identifiers() []protocol.Identifier {
	var list []protocol.Identifier
	add := func(kind protocol.IdentifierKind, value string) {
		if value != "" {
			list = append(list, protocol.Identifier{Kind: kind, Value: value})
		}
	}
	add(protocol.ByPhone, p.Phone)
	add(protocol.ByEmail, p.Email)
	for _, c := range p.Cards {
		add(protocol.ByCard, c.Number)
	}
	return list
}

// profileVersion is the version that encodeProfile writes.
const profileVersion = 1

var errProfileVersion = errors.New("the profile was written by a newer version")

func encodeProfile(p *profile) ([]byte, error) {
	p.Version = profileVersion
	return json.Marshal(p)
}

// decodeProfile reads what encodeProfile has written; nothing at all is the
// empty profile of a provisional member. The error never holds the data.
func decodeProfile(b []byte) (*profile, error) {
	p := new(profile)
	if len(b) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(b, p); err != nil {
		return nil, errors.New("the profile can't be read")
	}
	if p.Version > profileVersion {
		return nil, fmt.Errorf("%w: %d", errProfileVersion, p.Version)
	}
	return p, nil
}

// take copies what was sent over what is there; what was not sent stays.
func (p *profile) take(sent *protocol.Profile) {
	set := func(dst *string, src *string) {
		if src != nil {
			*dst = strings.Clone(*src)
		}
	}
	set(&p.Phone, sent.Phone)
	set(&p.Email, sent.Email)
	set(&p.Name, sent.Name)
	set(&p.Birthday, sent.Birthday)
	set(&p.Sex, sent.Sex)
	set(&p.ExternalID, sent.ExternalID)
	if sent.HasTags {
		p.Tags = nil
		for _, t := range sent.Tags {
			p.Tags = append(p.Tags, strings.Clone(t))
		}
	}
	if sent.HasConsent {
		p.Consent = make(map[string]bool, len(sent.Consent))
		for k, v := range sent.Consent {
			p.Consent[strings.Clone(k)] = v
		}
	}
	if sent.PromoCode != "" {
		p.PromoCode = strings.Clone(sent.PromoCode)
	}
}

// view fills the personal part of an answer about the member.
func (p *profile) view(m *protocol.MemberView) {
	str := func(s string) *string { return &s }
	m.Name = p.Name
	m.ReferralCode = p.Referral
	m.Profile = &protocol.Profile{
		Phone: str(p.Phone), Email: str(p.Email), Name: str(p.Name), Birthday: str(p.Birthday),
		Sex: str(p.Sex), ExternalID: str(p.ExternalID),
		Tags: slices.Clone(p.Tags), HasTags: true,
		Consent: p.Consent, HasConsent: true, PromoCode: p.PromoCode, Source: p.Source,
	}
}

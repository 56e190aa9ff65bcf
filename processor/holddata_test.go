package processor

import (
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// goldenHold are the bytes of version 1: they lie in journals.
const goldenHold = "01040101" + "c801" + "9003" + "d804" + "01"

func TestHoldDataGolden(t *testing.T) {
	h := holdData{
		kind: protocol.ByCode, spendByID: true,
		more: []ledger.LotPart{{Active: 100, Expires: 200, Points: 300, Own: true}},
	}
	require.Equal(t, goldenHold, hex.EncodeToString(appendHoldData(nil, &h)))
	var back holdData
	data, err := hex.DecodeString(goldenHold)
	require.NoError(t, err)
	require.NoError(t, decodeHoldData(data, &back))
	require.Equal(t, h, back)

	h.card, h.cardType = 0x0102030405060708, "gold"
	const withCard = "210401" + "0102030405060708" + "04676f6c64" + "01" + "c801" + "9003" + "d804" + "01"
	require.Equal(t, withCard, hex.EncodeToString(appendHoldData(nil, &h)))
	require.NoError(t, decodeHoldData(appendHoldData(nil, &h), &back))
	require.Equal(t, h.cardType, back.cardType)

	h.group, h.tenders = "north", []string{"cash", "card"}
	const withTenders = "610401" + "0102030405060708" + "04676f6c64" + "056e6f727468" + "02" + "0463617368" + "0463617264" + "01" + "c801" + "9003" + "d804" + "01"
	require.Equal(t, withTenders, hex.EncodeToString(appendHoldData(nil, &h)))
	require.NoError(t, decodeHoldData(appendHoldData(nil, &h), &back))
	require.Equal(t, h, back)
}

func FuzzHoldData(f *testing.F) {
	golden, err := hex.DecodeString(goldenHold)
	require.NoError(f, err)
	f.Add(golden)
	f.Add(appendHoldData(nil, &holdData{kind: protocol.ByPhone}))
	f.Add(appendHoldData(nil, &holdData{kind: protocol.ByPhone, group: "north", tenders: []string{"cash"}}))
	f.Add([]byte{3, 0, 0, 0})
	f.Add(appendHoldData(nil, &holdData{kind: protocol.ByCard, card: 7, cardType: "gold"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var h holdData
		if decodeHoldData(data, &h) != nil {
			return
		}
		var again holdData
		require.NoError(t, decodeHoldData(appendHoldData(nil, &h), &again))
		require.Equal(t, []any{h.kind, h.card, h.cardType}, []any{again.kind, again.card, again.cardType})
		require.Len(t, again.more, len(h.more))
	})
}

// TestParkedDataHasNoIdentifier: what waits for the office stands in the
// journal, so it may not name anybody.
func TestParkedDataHasNoIdentifier(t *testing.T) {
	s := openShop(t, small)
	r := s.sale(protocol.CallAccrue, byCard("9876543210"), 10000, 0)
	r.Edge, r.ISO.Advice, r.Offline = protocol.EdgeISO, true, true
	r.At = protocol.Time{Unix: s.clock.Load(), Set: true}
	r.Lines = []protocol.Line{{ID: "1", Name: "Latte for John", Quantity: 1000, Price: 10000, Amount: 10000}}
	res := s.ask(r)
	require.True(t, res.Accepted, res.Detail)
	id, err := ledger.ParseOpID(res.ID)
	require.NoError(t, err)
	var op ledger.Operation
	found, err := s.ledger.Operation(id, &op)
	require.NoError(t, err)
	require.True(t, found)
	record := string(ledger.AppendOperation(nil, &op))
	require.NotContains(t, record, "9876543210")
	require.NotContains(t, record, "John")
	var d parkedData
	require.NoError(t, json.Unmarshal(op.Data, &d))
	require.Len(t, d.Member, 32)
}

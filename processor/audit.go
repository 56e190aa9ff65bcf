package processor

import (
	"encoding/hex"
	"encoding/json"

	"tillgate/ledger"
	"tillgate/protocol"
)

// auditNames are the directories as the audit names them to people.
var auditNames = map[byte]string{
	dirStores: "stores", dirProducts: "products", dirCashiers: "cashiers", dirTemplates: "card templates", dirBlocks: "blocks",
}

// AuditName is a directory's name for people.
func AuditName(kind byte) string { return auditNames[kind] }

// AuditRow makes a row of the audit readable: JSON of what it says; of a row
// that is kept by its hash, the hash in hex; "" for none.
func AuditRow(kind byte, id string, data []byte, hashed bool) string {
	row := ledger.DirectoryRow{ID: id, Data: data}
	switch {
	case len(data) == 0:
		return ""
	case hashed:
		return "#" + hex.EncodeToString(data)
	case kind == dirStores:
		return asText(decodeStore(row))
	case kind == dirProducts:
		return asText(decodeProduct(row))
	case kind == dirTemplates:
		return asText(decodeTemplate(row))
	}
	return string(data) // JSON by itself: the block list
}

// asText is an entry as JSON, without what it leaves empty.
func asText[E protocol.StoreEntry | protocol.ProductEntry | protocol.CardTemplate](e E, err error) string {
	if err != nil {
		return "(" + err.Error() + ")"
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	var all map[string]any
	if json.Unmarshal(raw, &all) != nil {
		return string(raw)
	}
	for k, v := range all {
		if v == nil || v == "" || v == false || v == 0.0 {
			delete(all, k)
		}
	}
	short, err := json.Marshal(all)
	if err != nil {
		return string(raw)
	}
	return string(short)
}

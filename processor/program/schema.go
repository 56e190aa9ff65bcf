package program

import _ "embed"

// Schema is the JSON Schema (2020-12) of the programme document: every key
// that Compile takes, with a word on it, so that editors complete and check
// documents while they are written. Compile stays the judge: what turns on
// several keys at once (overlapping steps, rules that can never match) no
// schema can tell. Tests hold the two together, key by key.
//
//go:embed schema.json
var Schema []byte

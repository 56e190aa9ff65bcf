package program

import _ "embed"

// Sample is the document of a small programme, in force where none has been
// published yet: 10 % back, points pay up to half of a receipt, lots of three
// months.
//
//go:embed sample.yaml
var Sample []byte

package protocol

import _ "embed"

// OpenAPI is the description of the HTTP edge (OpenAPI 3.0.3), as it is
// served at /openapi.yaml. Tests hold it to Routes, to what DecodeJSON reads
// and to what AppendJSON renders.
//
//go:embed openapi.yaml
var OpenAPI []byte

package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ShiftResult is the outcome of matching one till's shift, as the journal
// keeps it: what a repeat is answered from and what reports show.
type ShiftResult struct {
	// Version of this layout: 1.
	Version     int          `json:"v"`
	Matched     bool         `json:"matched"`
	Till        ShiftTotals  `json:"till"`
	Host        ShiftTotals  `json:"host"`
	Differences []Difference `json:"differences,omitempty"`
	// More is how many differing receipts did not fit in Differences.
	More int `json:"more,omitempty"`
}

// MaxDifferences bounds the receipts that a shift's close lists: who has to
// look at more than these looks at the export.
const MaxDifferences = 200

const shiftResultVersion = 1

// ErrShiftResult says that a shift's record was written by another version.
var ErrShiftResult = errors.New("a shift's result is not in a format of this version")

// AppendShiftResult appends the result as it is kept: JSON, because it is
// written once a shift and will be extended.
func AppendShiftResult(dst []byte, r *ShiftResult) ([]byte, error) {
	r.Version = shiftResultVersion
	b, err := json.Marshal(r)
	return append(dst, b...), err
}

// DecodeShiftResult reads what AppendShiftResult has written. The error is
// [ErrShiftResult].
func DecodeShiftResult(data []byte, r *ShiftResult) error {
	*r = ShiftResult{}
	if err := json.Unmarshal(data, r); err != nil {
		return fmt.Errorf("%w: %w", ErrShiftResult, err)
	}
	if r.Version != shiftResultVersion {
		return fmt.Errorf("%w: %d", ErrShiftResult, r.Version)
	}
	return nil
}

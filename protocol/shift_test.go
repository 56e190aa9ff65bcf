package protocol

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShiftResultIsKept(t *testing.T) {
	in := ShiftResult{
		Till: ShiftTotals{SalesCount: 1, Sales: 2, ReturnsCount: 3, Returns: 4, RedeemedCount: 5, Redeemed: 6, GivenBackCount: 7, GivenBack: 8, Net: -9},
		Host: ShiftTotals{SalesCount: 10}, Differences: []Difference{{Receipt: "1", Operation: "2", Status: "parked", Because: "b", Total: 5, Redeemed: 6}}, More: 3,
	}
	data, err := AppendShiftResult(nil, &in)
	require.NoError(t, err)
	var out ShiftResult
	require.NoError(t, DecodeShiftResult(data, &out))
	require.Equal(t, in, out)
}

// The bytes of version 1, as they stand in journals.
const shiftResultV1 = `{"v":1,"matched":true,"till":{"SalesCount":1,"Sales":2,"ReturnsCount":0,"Returns":0,"RedeemedCount":0,"Redeemed":0,"GivenBackCount":0,"GivenBack":0,"Net":2},"host":{"SalesCount":1,"Sales":2,"ReturnsCount":0,"Returns":0,"RedeemedCount":0,"Redeemed":0,"GivenBackCount":0,"GivenBack":0,"Net":2}}`

func TestShiftResultOfVersion1(t *testing.T) {
	var r ShiftResult
	require.NoError(t, DecodeShiftResult([]byte(shiftResultV1), &r))
	data, err := AppendShiftResult(nil, &r)
	require.NoError(t, err)
	require.Equal(t, shiftResultV1, string(data))
	require.ErrorIs(t, DecodeShiftResult([]byte(`{"v":2}`), &r), ErrShiftResult)
}

func FuzzShiftResult(f *testing.F) {
	f.Add([]byte(shiftResultV1))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r ShiftResult
		if DecodeShiftResult(data, &r) != nil {
			return
		}
		once, err := AppendShiftResult(nil, &r)
		require.NoError(t, err)
		var again ShiftResult
		require.NoError(t, DecodeShiftResult(once, &again))
		twice, err := AppendShiftResult(nil, &again)
		require.NoError(t, err)
		require.Equal(t, string(once), string(twice))
	})
}

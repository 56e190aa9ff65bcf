package program

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhole(t *testing.T) {
	doc, err := os.ReadFile("testdata/whole.yaml")
	require.NoError(t, err)
	_, problems := Compile(doc)
	for _, p := range problems {
		t.Log(p.Path, "|", p.Message)
	}
	_ = strings.Join
}

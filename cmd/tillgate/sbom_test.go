package main

import (
	"bytes"
	"runtime/debug"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/stretchr/testify/require"
)

// TestBillOfMaterials: every module stands in it once, a replaced one as what
// it was replaced by, and two bills of one binary are the same bytes.
func TestBillOfMaterials(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.8", Deps: []*debug.Module{
		{Path: "example.com/a", Version: "v1.2.3", Sum: "h1:abc="},
		{Path: "example.com/b", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/fork", Version: "v1.0.1", Sum: "h1:def="}},
	}}
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		require.NoError(t, cdx.NewBOMEncoder(out, cdx.BOMFileFormatJSON).EncodeVersion(materials(info), cdx.SpecVersion1_6))
	}
	require.Equal(t, first.String(), second.String())
	var bom cdx.BOM
	require.NoError(t, cdx.NewBOMDecoder(&first, cdx.BOMFileFormatJSON).Decode(&bom))
	var urls []string
	for _, c := range *bom.Components {
		urls = append(urls, c.PackageURL)
	}
	require.Equal(t, []string{"pkg:golang/std@go1.26.8", "pkg:golang/example.com/a@v1.2.3", "pkg:golang/example.com/fork@v1.0.1"}, urls)
	require.Len(t, *(*bom.Dependencies)[0].Dependencies, len(urls))
	require.Equal(t, "h1:def=", (*(*bom.Components)[2].Properties)[0].Value)
}

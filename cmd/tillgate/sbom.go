package main

import (
	"context"
	"errors"
	"runtime/debug"

	cdx "github.com/CycloneDX/cyclonedx-go" // the format has many versions and rules; the library follows them
)

const aboutSBOM = `Prints the software bill of materials of this binary, CycloneDX 1.6 as JSON: the
modules it was built from with their versions and checksums, and the Go release.
It is read from the binary itself, so it is what runs and not what was meant.`

func init() {
	register(command{"sbom", "print the software bill of materials", func(_ context.Context, c *console, args []string) error {
		fs := newFlags(c, "sbom", "", aboutSBOM)
		if err := parse(fs, args, 0, 0); err != nil {
			return err
		}
		info, ok := debug.ReadBuildInfo()
		if !ok {
			return errors.New("this binary was built without module information")
		}
		return cdx.NewBOMEncoder(c.out, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(materials(info), cdx.SpecVersion1_6)
	}})
}

// materials are the parts of a binary. They carry no date and no random
// number: two builds of one source have the same bill.
func materials(info *debug.BuildInfo) *cdx.BOM {
	product := cdx.Component{
		BOMRef: "tillgate", Type: cdx.ComponentTypeApplication, Name: "tillgate", Version: release(),
		PackageURL: "pkg:golang/tillgate@" + release(),
	}
	parts := []cdx.Component{{
		BOMRef: "pkg:golang/std", Type: cdx.ComponentTypeFramework, Name: "std",
		Version: info.GoVersion, PackageURL: "pkg:golang/std@" + info.GoVersion,
	}}
	uses := []string{parts[0].BOMRef}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		url := "pkg:golang/" + m.Path + "@" + m.Version
		parts = append(parts, cdx.Component{
			BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: url,
			Properties: &[]cdx.Property{{Name: "go:sum", Value: m.Sum}},
		})
		uses = append(uses, url)
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Component: &product}
	bom.Components = &parts
	bom.Dependencies = &[]cdx.Dependency{{Ref: product.BOMRef, Dependencies: &uses}}
	return bom
}

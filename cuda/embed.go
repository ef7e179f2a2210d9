//go:build cuda

package cuda

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

// The kernels, compiled by `make cuda`: a fatbin for each .cu file, with code for several architectures and PTX for later ones.
//
//go:embed fatbin/*.fatbin
var fatbins embed.FS

// Fatbin is the compiled form of NAME.cu.
type Fatbin struct{ Name, Code string }

// Fatbins lists them all.
func Fatbins() (all []Fatbin, err error) {
	err = fs.WalkDir(fatbins, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fatbins.ReadFile(p)
		all = append(all, Fatbin{strings.TrimSuffix(path.Base(p), ".fatbin"), string(b)})
		return err
	})
	return all, err
}

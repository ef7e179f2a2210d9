package op

import (
	"embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
)

//go:embed *.go
var source embed.FS

// Source is the law of an op as it stands in this package: the op's type with its doc comment, the method Law (for a
// composite also Expand), and for an elementwise function the scalar law.
func Source(o Op) (string, error) {
	kind := reflect.TypeOf(o).Name()
	files, err := source.ReadDir(".")
	if err != nil {
		return "", err
	}
	var decls, laws, scalars []string
	for _, f := range files {
		text, err := source.ReadFile(f.Name())
		if err != nil {
			return "", err
		}
		fset := token.NewFileSet()
		tree, err := parser.ParseFile(fset, f.Name(), text, parser.ParseComments)
		if err != nil || strings.HasSuffix(f.Name(), "_test.go") {
			continue // only the package's own files hold laws
		}
		cut := func(doc *ast.CommentGroup, n ast.Node) string {
			from := n.Pos()
			if doc != nil {
				from = doc.Pos()
			}
			at := fset.Position(from)
			return fmt.Sprintf("// op/%s:%d\n%s\n", at.Filename, at.Line, text[at.Offset:fset.Position(n.End()).Offset])
		}
		for _, d := range tree.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if t, ok := s.(*ast.TypeSpec); ok && t.Name.Name == kind {
						decls = append(decls, cut(d.Doc, d))
					}
				}
			case *ast.FuncDecl:
				switch {
				case receiver(d) == kind && (d.Name.Name == "Law" || d.Name.Name == "Expand"):
					laws = append(laws, cut(d.Doc, d))
				case d.Recv == nil && strings.EqualFold(d.Name.Name, o.Name()+"32"):
					scalars = append(scalars, cut(d.Doc, d))
				}
			}
		}
	}
	if len(decls) == 0 {
		return "", fmt.Errorf("no source of %s", o.Name())
	}
	return strings.Join(append(append(decls, laws...), scalars...), "\n"), nil
}

// receiver is the name of a method's receiver type.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	id, _ := f.Recv.List[0].Type.(*ast.Ident)
	if id == nil {
		return ""
	}
	return id.Name
}

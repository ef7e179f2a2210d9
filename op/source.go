package op

import (
	"embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

//go:embed *.go
var source embed.FS

// Source is the law of an op as it stands in this package: the op's type with its doc comment, the method Law (for a
// composite also Expand), and for an elementwise function its row of the table of functions and its scalar law. The error
// says that the package does not hold the op.
func Source(o Op) (string, error) {
	if d, ok := o.(Twofold); ok {
		of, _ := d.Primal()
		law, err := sourceOf(o)
		if err != nil {
			return "", err
		}
		rest, err := Source(of)
		return law + "\n" + rest, err
	}
	return sourceOf(o)
}

func sourceOf(o Op) (string, error) {
	kind, _, _ := strings.Cut(reflect.TypeOf(o).Name(), "[") // of a generic type without what it is of
	files, err := source.ReadDir(".")
	if err != nil {
		return "", err
	}
	var decls, laws, rows, scalars []string
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
				case d.Recv == nil && (strings.EqualFold(d.Name.Name, o.Name()+"32") || d.Name.Name == strings.ToLower(kind)):
					scalars = append(scalars, cut(d.Doc, d))
				}
			}
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if isRow(n, o.Name()) {
				rows = append(rows, cut(nil, n))
			}
			return true
		})
	}
	if len(decls) == 0 {
		return "", fmt.Errorf("no source of %s", o.Name())
	}
	return strings.Join(slices.Concat(decls, laws, rows, scalars), "\n"), nil
}

// isRow tells whether n is the row of a function in a table: a key and a literal whose first field is the name, such as
// add: {"add", ..} or max2: {name: "max", ..}.
func isRow(n ast.Node, name string) bool {
	row, ok := n.(*ast.KeyValueExpr)
	if !ok {
		return false
	}
	lit, ok := row.Value.(*ast.CompositeLit)
	if !ok || len(lit.Elts) == 0 {
		return false
	}
	first := lit.Elts[0]
	if field, ok := first.(*ast.KeyValueExpr); ok {
		first = field.Value
	}
	text, ok := first.(*ast.BasicLit)
	return ok && text.Kind == token.STRING && text.Value == strconv.Quote(name)
}

// receiver is the name of a method's receiver type.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	kind := f.Recv.List[0].Type
	if of, ok := kind.(*ast.IndexExpr); ok { // a generic type
		kind = of.X
	}
	id, _ := kind.(*ast.Ident)
	if id == nil {
		return ""
	}
	return id.Name
}

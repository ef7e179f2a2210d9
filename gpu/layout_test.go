package gpu

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"
)

// arguments are the types that bytesOf hands to kernels.
var arguments = []any{
	aMaxArgs{}, batchArgs{}, binaryArgs{}, castArgs{}, chainArgs{}, compareArgs{}, concatArgs{}, drawArgs{},
	dualLayerNormArgs{}, dualLayerNormGradArgs{}, dualMatMulArgs{}, dualSoftmaxArgs{}, dualSoftmaxGradArgs{}, dualXentGradArgs{}, fillArgs{}, gatherArgs{}, iotaArgs{},
	keepArgs{}, layerNormArgs{}, layerNormGradArgs{}, matMulArgs{}, matMulJVPArgs{}, oneHotArgs{}, peakCopyArgs{}, peakFMAArgs{}, pickArgs{}, putRowArgs{}, randIntArgs{},
	residentArgs{}, scatterAddArgs{}, selectArgs{}, softmaxArgs{}, softmaxGradArgs{}, stridedArgs{}, sumArgs{}, tailArgs{}, ternaryMMArgs{}, unaryArgs{}, uniformArgs{},
	windowArgs{}, xentArgs{},
}

// TestArgumentLayout: arguments of kernels hold fixed-size numbers only, without padding, so that C lays them out alike.
func TestArgumentLayout(t *testing.T) {
	listed := map[string]bool{}
	for _, a := range arguments {
		typ := reflect.TypeOf(a)
		listed[typ.Name()] = true
		if got, want := dense(t, typ), typ.Size(); got != want {
			t.Errorf("%s holds %d bytes and takes %d: make its padding a field", typ.Name(), got, want)
		}
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if s, ok := n.(*ast.TypeSpec); ok && strings.HasSuffix(s.Name.Name, "Args") && !listed[s.Name.Name] {
				t.Errorf("%s: %s is not on the list of arguments", f.Name(), s.Name.Name)
			}
			return true
		})
	}
}

// dense is the number of bytes of a type's numbers.
func dense(t *testing.T, typ reflect.Type) (bytes uintptr) {
	switch typ.Kind() {
	case reflect.Struct:
		for i := range typ.NumField() {
			bytes += dense(t, typ.Field(i).Type)
		}
	case reflect.Array:
		bytes = uintptr(typ.Len()) * dense(t, typ.Elem())
	case reflect.Uint32, reflect.Int32, reflect.Float32, reflect.Uint64, reflect.Int64:
		bytes = typ.Size()
	default:
		t.Errorf("a kernel's argument holds a %s", typ)
	}
	return bytes
}

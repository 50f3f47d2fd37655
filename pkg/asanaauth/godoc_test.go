package asanaauth_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestExportedNamesAreDocumented requires a comment for each exported name in the
// packages that other modules can import. The comment of a function, method or type must
// begin with its name. Each package must have a package comment of at least three
// sentences.
func TestExportedNamesAreDocumented(t *testing.T) {
	t.Parallel()
	packages := map[string]string{} // the package comment for each folder
	for path, text := range sources(t, ".go") {
		folder := filepath.Dir(path)
		parts := strings.Split(filepath.ToSlash(folder), "/")
		if strings.HasSuffix(path, "_test.go") || !slices.Contains(parts, "pkg") ||
			slices.Contains(parts, "internal") || slices.Contains(parts, "testdata") {
			continue
		}
		positions := token.NewFileSet()
		file, err := parser.ParseFile(positions, path, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		packages[folder] += file.Doc.Text()
		for _, decl := range file.Decls {
			for _, name := range undocumented(decl) {
				t.Errorf("%s: %s has no comment that begins with its name", positions.Position(decl.Pos()), name)
			}
		}
	}
	for folder, doc := range packages {
		if strings.Count(doc, ". ")+strings.Count(doc, ".\n") < 3 {
			t.Errorf("%s: the package comment has fewer than three sentences", folder)
		}
	}
}

// undocumented returns the exported names in decl that need a comment and have none. The
// comment of a constant or variable may begin with any word, and may belong to a group.
func undocumented(decl ast.Decl) []string {
	var names []string
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if decl.Name.IsExported() && isExportedReceiver(decl) && !strings.HasPrefix(decl.Doc.Text(), decl.Name.Name+" ") {
			names = append(names, decl.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				doc := spec.Doc.Text() + decl.Doc.Text()
				if spec.Name.IsExported() && !strings.HasPrefix(doc, spec.Name.Name+" ") &&
					!strings.HasPrefix(doc, "A "+spec.Name.Name+" ") && !strings.HasPrefix(doc, "An "+spec.Name.Name+" ") {
					names = append(names, spec.Name.Name)
				}
			case *ast.ValueSpec:
				if doc := spec.Doc.Text() + spec.Comment.Text() + decl.Doc.Text(); spec.Names[0].IsExported() && doc == "" {
					names = append(names, spec.Names[0].Name)
				}
			}
		}
	}
	return names
}

// isExportedReceiver reports whether decl is a function, or a method of an exported type.
func isExportedReceiver(decl *ast.FuncDecl) bool {
	if decl.Recv == nil {
		return true
	}
	receiver := decl.Recv.List[0].Type
	if pointer, ok := receiver.(*ast.StarExpr); ok {
		receiver = pointer.X
	}
	if generic, ok := receiver.(*ast.IndexExpr); ok {
		receiver = generic.X
	}
	name, ok := receiver.(*ast.Ident)
	return ok && name.IsExported()
}

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"strings"
)

// A combined mistake is in the same program as others: the function that it
// changes is there twice, and the original calls the other one when the switch
// is on.
type combined struct {
	handMade
	path        string
	first, last int // lines of the changed function
}

// combine returns the files with as many mistakes in them as go into one
// program, and the mistakes that do not: those that change more than the body
// of one function, and those of a function that has no names for what it gets,
// or that recovers (only the function that was deferred can).
func combine(list []handMade) (sources []source, together []combined, apart []handMade, err error) {
	texts, extra, packages := map[string]string{}, map[string]string{}, map[string]string{}
	for _, h := range list {
		changed, err := h.apply()
		if err != nil {
			return nil, nil, nil, err
		}
		file := h.edits[0].path
		original, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, nil, err
		}
		if texts[file] == "" {
			texts[file] = string(original)
		}
		f, ok := functionOf(h, string(original), changed[0].text)
		if !ok || len(changed) > 1 {
			apart = append(apart, h)
			continue
		}
		id := len(together)
		together = append(together, combined{handMade: h, path: file})
		texts[file] = strings.Replace(texts[file], f.head, f.head+fmt.Sprintf(f.call, id), 1)
		extra[file] += fmt.Sprintf("\n// %d\n", id) + fmt.Sprintf(f.changed, id) + "\n"
		packages[path.Dir(file)] = f.pkg
	}
	for file, text := range texts {
		text += extra[file]
		for id := range together {
			c := &together[id]
			if before, after, found := strings.Cut(text, fmt.Sprintf("\n// %d\n", id)); found && c.path == file {
				c.first = strings.Count(before, "\n") + 2
				body, _, _ := strings.Cut(after, "\n// ")
				c.last = c.first + strings.Count(body, "\n") + 1
			}
		}
		sources = append(sources, source{file, text})
	}
	if len(together) == 0 {
		return nil, nil, apart, nil
	}
	for folder, pkg := range packages {
		sources = append(sources, source{folder + "/mutant_switch.go", switchFile(pkg, len(together))})
	}
	return sources, together, apart, nil
}

// A function is one that a mistake changes. Its texts have the number of the
// mistake as %d.
type function struct {
	pkg           string
	head          string // up to the brace of the body, as it is in the file
	call, changed string
}

// functionOf returns the function of which the changed text differs from the
// original, if it is one and can be there twice.
func functionOf(h handMade, original, changed string) (f function, ok bool) {
	before, after := declarations(original), declarations(changed)
	if before == nil || after == nil || len(before.Decls) != len(after.Decls) {
		return f, false
	}
	at := -1
	for i := range before.Decls {
		if textOf(original, before.Decls[i]) != textOf(changed, after.Decls[i]) {
			if at >= 0 {
				return f, false
			}
			at = i
		}
	}
	if at < 0 {
		return f, false
	}
	was, isFunc := before.Decls[at].(*ast.FuncDecl)
	is, stays := after.Decls[at].(*ast.FuncDecl)
	if !isFunc || !stays || was.Body == nil || was.Type.TypeParams != nil || strings.Contains(textOf(original, was), "recover()") {
		return f, false
	}
	call, ok := callOf(was)
	if !ok {
		return f, false
	}
	f.pkg = before.Name.Name
	f.head = original[was.Pos()-1 : was.Body.Lbrace]
	f.call = " if mutant_(%[1]d) { " + call + " };"
	escape := func(text string) string { return strings.ReplaceAll(text, "%", "%%") }
	f.changed = escape(changed[is.Pos()-1:is.Name.End()-1]) + "_%d" + escape(changed[is.Name.End()-1:is.End()-1])
	return f, f.head != "" && textOf(original, was.Type) == textOf(changed, is.Type)
}

func declarations(text string) *ast.File {
	file, err := parser.ParseFile(token.NewFileSet(), "", text, parser.SkipObjectResolution)
	if err != nil {
		return nil
	}
	return file
}

// textOf returns the text of a node of a file that is alone in its set.
func textOf(text string, n ast.Node) string { return text[n.Pos()-1 : n.End()-1] }

// callOf returns the call of the other function, with %[1]d, and whether all that
// it gets has a name.
func callOf(f *ast.FuncDecl) (call string, ok bool) {
	call = f.Name.Name + "_%[1]d("
	if f.Recv != nil {
		names := f.Recv.List[0].Names
		if len(names) == 0 || names[0].Name == "_" {
			return "", false
		}
		call = names[0].Name + "." + call
	}
	for _, field := range f.Type.Params.List {
		if len(field.Names) == 0 {
			return "", false
		}
		for _, name := range field.Names {
			if name.Name == "_" {
				return "", false
			}
			call += name.Name
			if _, variadic := field.Type.(*ast.Ellipsis); variadic {
				call += "..."
			}
			call += ", "
		}
	}
	if call += ")"; f.Type.Results != nil {
		return "return " + call, true
	}
	return call + "; return", true
}

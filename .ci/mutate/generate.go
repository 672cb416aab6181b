package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
)

// A mutant is one mistake. Its name is its place and what it changes; it stays
// the same when other code changes.
type mutant struct {
	name string
	line string // FILE:LINE
}

// A source is a file with the switches of its mutants in it.
type source struct {
	path string // from the top of the tree
	text string
}

// switched returns the files of the package in folder with all mutants in them,
// each behind a switch, and the file of the switches. The mutants in skip are
// left out. The switches add no lines.
func switched(folder string, files []string, skip map[string]bool) (list []mutant, sources []source, err error) {
	name := ""
	for _, file := range files {
		g := generator{path: folder + "/" + file, first: len(list), skip: skip, seen: map[string]int{}}
		if err := g.parse(); err != nil {
			return nil, nil, err
		}
		name = g.file.Name.Name
		ast.Inspect(g.file, g.visit)
		list = append(list, g.mutants...)
		sources = append(sources, source{g.path, g.edited()})
	}
	return list, append(sources, source{folder + "/" + "mutant_switch.go", switchFile(name, len(list))}), nil
}

// switchFile has the switch of each mutant, and marks in the file that
// MUTANT_REACHED names which of them were reached.
func switchFile(pkg string, mutants int) string {
	return fmt.Sprintf(`package %s

import (
	"os"
	"strconv"
	"syscall"
)

var mutantOn_, mutantReached_ = func() (int, []byte) {
	on, err := strconv.Atoi(os.Getenv("MUTANT"))
	if err != nil {
		on = -1
	}
	fd, err := syscall.Open(os.Getenv("MUTANT_REACHED"), syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return on, nil
	}
	defer syscall.Close(fd)
	reached, err := syscall.Mmap(fd, 0, %d, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return on, reached
}()

func mutant_(id int) bool {
	if mutantReached_ != nil {
		mutantReached_[id] = 1
	}
	return id == mutantOn_
}

func mutantError_(id int, err error) error {
	if mutant_(id) {
		return nil
	}
	return err
}
`, pkg, max(mutants, 1))
}

// A generator finds the mutants of one file.
type generator struct {
	path    string
	first   int // the number of its first mutant
	skip    map[string]bool
	src     []byte
	fset    *token.FileSet
	file    *ast.File
	stack   []ast.Node
	mutants []mutant
	edits   []edit
	seen    map[string]int
}

// An edit puts text before and after a node.
type edit struct {
	from, to      int
	before, after string
}

func (g *generator) parse() (err error) {
	if g.src, err = os.ReadFile(g.path); err != nil {
		return err
	}
	g.fset = token.NewFileSet()
	g.file, err = parser.ParseFile(g.fset, g.path, g.src, parser.SkipObjectResolution)
	return err
}

// visit makes the mutants of a node. It leaves out constants, which are computed
// when the package is compiled.
func (g *generator) visit(n ast.Node) bool {
	if n == nil {
		g.stack = g.stack[:len(g.stack)-1]
		return false
	}
	if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST {
		return false
	}
	g.stack = append(g.stack, n)
	switch n := n.(type) {
	case *ast.BlockStmt:
		g.statements(n.List)
	case *ast.CommClause:
		g.statements(n.Body)
	case *ast.CaseClause:
		g.statements(n.Body)
		if s, ok := g.ancestor(2).(*ast.SwitchStmt); ok && s.Tag == nil {
			for _, condition := range n.List {
				g.condition(condition)
			}
		}
	case *ast.IfStmt:
		g.condition(n.Cond)
	case *ast.ForStmt:
		if n.Cond != nil {
			g.add(n.Cond, "%s is false", "((", ") && !mutant_(%d))")
		}
	case *ast.BinaryExpr:
		g.binary(n)
	case *ast.ReturnStmt:
		g.results(n)
	}
	return true
}

// ancestor returns the node so many levels above the one at hand.
func (g *generator) ancestor(levels int) ast.Node {
	if i := len(g.stack) - 1 - levels; i >= 0 {
		return g.stack[i]
	}
	return nil
}

// statements leaves out each statement of a list. It keeps declarations, which
// others need, and what ends a function.
func (g *generator) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt:
			if call, ok := s.X.(*ast.CallExpr); ok && g.text(call.Fun) == "panic" {
				continue
			}
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
		case *ast.BranchStmt:
			if s.Tok != token.BREAK && s.Tok != token.CONTINUE {
				continue
			}
		case *ast.IncDecStmt, *ast.DeferStmt, *ast.GoStmt, *ast.SendStmt:
		default:
			continue
		}
		g.add(s, "without %s", "if !mutant_(%d) { ", " }")
	}
}

func (g *generator) condition(c ast.Expr) {
	g.add(c, "%s is true", "((", ") || mutant_(%d))")
	g.add(c, "%s is false", "((", ") && !mutant_(%d))")
}

// binary leaves out an operand of && and ||, moves the bound of an order, and
// negates a comparison that is no condition.
func (g *generator) binary(n *ast.BinaryExpr) {
	switch n.Op {
	case token.LAND:
		for _, operand := range []ast.Expr{n.X, n.Y} {
			g.add(operand, "%s is true", "((", ") || mutant_(%d))")
		}
	case token.LOR:
		for _, operand := range []ast.Expr{n.X, n.Y} {
			g.add(operand, "%s is false", "((", ") && !mutant_(%d))")
		}
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		other := map[token.Token]string{token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">"}[n.Op]
		if moved := g.text(n.X) + " " + other + " " + g.text(n.Y); !strings.ContainsAny(moved, "%\n") {
			g.add(n, "%s becomes "+other, "(!mutant_(%d) && (", ") || mutant_(%d) && ("+moved+"))")
		}
		g.negate(n)
	case token.EQL, token.NEQ:
		g.negate(n)
	}
}

func (g *generator) negate(n ast.Expr) {
	switch parent := g.ancestor(1).(type) {
	case *ast.IfStmt, *ast.ForStmt, *ast.CaseClause, *ast.ReturnStmt, *ast.ParenExpr, *ast.UnaryExpr:
	case *ast.BinaryExpr:
		if parent.Op != token.LAND && parent.Op != token.LOR {
			g.add(n, "%s is negated", "((", ") != mutant_(%d))")
		}
	default:
		g.add(n, "%s is negated", "((", ") != mutant_(%d))")
	}
}

// results drops a returned error, and negates a returned bool.
func (g *generator) results(n *ast.ReturnStmt) {
	var types []string
	for i := 0; types == nil && i < len(g.stack); i++ {
		switch f := g.ancestor(i).(type) {
		case *ast.FuncDecl:
			types = g.typesOf(f.Type)
		case *ast.FuncLit:
			types = g.typesOf(f.Type)
		}
	}
	if len(types) != len(n.Results) {
		return
	}
	for i, value := range n.Results {
		switch {
		case types[i] == "error" && g.text(value) != "nil":
			g.add(value, "returns no error in place of %s", "mutantError_(%d, ", ")")
		case types[i] == "bool":
			g.add(value, "returns not %s", "((", ") != mutant_(%d))")
		}
	}
}

func (g *generator) typesOf(f *ast.FuncType) []string {
	list := []string{}
	if f.Results == nil {
		return list
	}
	for _, field := range f.Results.List {
		list = append(list, slices.Repeat([]string{g.text(field.Type)}, max(1, len(field.Names)))...)
	}
	return list
}

func (g *generator) offset(p token.Pos) int { return g.fset.Position(p).Offset }

func (g *generator) text(n ast.Node) string {
	return string(g.src[g.offset(n.Pos()):g.offset(n.End())])
}

// add adds a mutant of a node. The texts before and after have its number as
// %d.
func (g *generator) add(n ast.Node, what, before, after string) {
	source := strings.Join(strings.Fields(g.text(n)), " ")
	if len(source) > 70 {
		source = strings.ToValidUTF8(source[:70], "") + "…"
	}
	name := fmt.Sprintf("%s %s: %s", g.path, g.function(), fmt.Sprintf(what, "`"+source+"`"))
	g.seen[name]++
	if k := g.seen[name]; k > 1 {
		name += fmt.Sprintf(" (%d)", k)
	}
	if g.skip[name] {
		return
	}
	id := g.first + len(g.mutants)
	number := func(text string) string { return strings.ReplaceAll(text, "%d", fmt.Sprint(id)) }
	g.mutants = append(g.mutants, mutant{name, fmt.Sprintf("%s:%d", g.path, g.fset.Position(n.Pos()).Line)})
	g.edits = append(g.edits, edit{g.offset(n.Pos()), g.offset(n.End()), number(before), number(after)})
}

// function names the declaration that the node at hand is in.
func (g *generator) function() string {
	for _, n := range g.stack {
		switch n := n.(type) {
		case *ast.FuncDecl:
			return n.Name.Name
		case *ast.ValueSpec:
			return n.Names[0].Name
		}
	}
	return g.file.Name.Name
}

// edited returns the file with all edits. Those of an inner node are inside
// those of an outer one.
func (g *generator) edited() string {
	insert := map[int]string{}
	order := make([]int, len(g.edits))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { // the outer first
		return (g.edits[b].to - g.edits[b].from) - (g.edits[a].to - g.edits[a].from)
	})
	closes := map[int]string{}
	for _, i := range order {
		e := g.edits[i]
		insert[e.from] += e.before
		closes[e.to] = e.after + closes[e.to]
	}
	var b strings.Builder
	for at := 0; at <= len(g.src); at++ {
		b.WriteString(closes[at])
		b.WriteString(insert[at])
		if at < len(g.src) {
			b.WriteByte(g.src[at])
		}
	}
	return b.String()
}

package tlc

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// A Graph is a state graph as TLC dumps it.
type Graph struct {
	Initial int     // index of the initial state
	States  []State // in the order in which TLC found them
	Edges   [][]Edge
}

// An Edge leads to a state. Proc is the process that moves, -1: the
// environment.
type Edge struct {
	Proc  int
	Label string
	To    int
}

var (
	dotNode = regexp.MustCompile(`^(-?\d+) \[label="(.*)"(,style = filled)?\];?$`)
	dotEdge = regexp.MustCompile(`^(-?\d+) -> (-?\d+) \[label="(\w+)"`)
	dotText = strings.NewReplacer(`\n`, "\n", `\"`, `"`, `\\`, `\`)
)

// A Dot is a state graph of any module, as TLC dumps it.
type Dot struct {
	Initial int      // index of the initial state
	States  []string // what TLC prints, see Variables
	Edges   []DotEdge
}

// A DotEdge has the name of its action.
type DotEdge struct {
	From, To int
	Label    string
}

// ReadDot reads what a run with Dump writes: the states are nodes, and each
// edge has the name of its action.
func ReadDot(dot io.Reader) (Dot, error) {
	g := Dot{Initial: -1}
	index := map[string]int{}
	var edges [][]string
	lines := bufio.NewScanner(dot)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if match := dotEdge.FindStringSubmatch(lines.Text()); match != nil {
			edges = append(edges, match[1:])
			continue
		}
		match := dotNode.FindStringSubmatch(lines.Text())
		if match == nil {
			continue
		}
		text := dotText.Replace(match[2])
		if match[3] != "" {
			if g.Initial >= 0 {
				return g, fmt.Errorf("two initial states in TLC's graph, want one: %s and %s", g.States[g.Initial], text)
			}
			g.Initial = len(g.States)
		}
		index[match[1]] = len(g.States)
		g.States = append(g.States, text)
	}
	if err := lines.Err(); err != nil {
		return g, err
	}
	if g.Initial < 0 {
		return g, fmt.Errorf("no initial state in TLC's graph")
	}
	for _, e := range edges {
		from, ok1 := index[e[0]]
		to, ok2 := index[e[1]]
		if !ok1 || !ok2 {
			return g, fmt.Errorf("TLC's graph has an edge %v without a state", e)
		}
		g.Edges = append(g.Edges, DotEdge{from, to, e[2]})
	}
	return g, nil
}

// ReadGraph reads the graph of MCSharedBarrier.
func ReadGraph(dot io.Reader) (Graph, error) {
	d, err := ReadDot(dot)
	g := Graph{Initial: d.Initial, Edges: make([][]Edge, len(d.States))}
	if err != nil {
		return g, err
	}
	for _, text := range d.States {
		state, err := parseState(text)
		if err != nil {
			return g, err
		}
		if len(g.States) > 0 && len(state.Steps) != len(g.States[0].Steps) {
			return g, fmt.Errorf("states with different numbers of processes in TLC's graph: %v and %v", g.States[0], state)
		}
		g.States = append(g.States, state)
	}
	for _, e := range d.Edges {
		g.Edges[e.From] = append(g.Edges[e.From], Edge{g.States[e.From].mover(g.States[e.To]), e.Label, e.To})
	}
	return g, nil
}

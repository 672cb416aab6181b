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

// ReadGraph reads what a run with Dump writes: the states are nodes, and
// each edge has the name of its action.
func ReadGraph(dot io.Reader) (Graph, error) {
	g := Graph{Initial: -1}
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
		state, err := parseState(dotText.Replace(match[2]))
		if err != nil {
			return g, err
		}
		if len(g.States) > 0 && len(state.Steps) != len(g.States[0].Steps) {
			return g, fmt.Errorf("states with different numbers of processes in TLC's graph: %v and %v", g.States[0], state)
		}
		if match[3] != "" && g.Initial >= 0 {
			return g, fmt.Errorf("two initial states in TLC's graph, and SharedBarrier has one: %v and %v", g.States[g.Initial], state)
		}
		if match[3] != "" {
			g.Initial = len(g.States)
		}
		index[match[1]] = len(g.States)
		g.States = append(g.States, state)
	}
	if err := lines.Err(); err != nil {
		return g, err
	}
	if g.Initial < 0 {
		return g, fmt.Errorf("no initial state in TLC's graph")
	}
	g.Edges = make([][]Edge, len(g.States))
	for _, e := range edges {
		from, ok1 := index[e[0]]
		to, ok2 := index[e[1]]
		if !ok1 || !ok2 {
			return g, fmt.Errorf("TLC's graph has an edge %v without a state", e)
		}
		g.Edges[from] = append(g.Edges[from], Edge{g.States[from].mover(g.States[to]), e[2], to})
	}
	return g, nil
}

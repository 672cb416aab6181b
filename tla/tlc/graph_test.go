package tlc

import (
	"strings"
	"testing"
)

// A graph has one initial state, and edges between states.
func TestUnit_ReadGraphRefuses(t *testing.T) {
	first, second, edge := graphLines()
	if g, err := ReadGraph(strings.NewReader(first + second + edge)); err != nil || len(g.Edges[0]) != 1 || g.Edges[0][0] != (Edge{0, "Call", 1}) {
		t.Fatalf("ReadGraph = %+v, %v; want two states and the edge p0:Call", g, err)
	}
	for name, text := range map[string]string{
		"no initial state":      second,
		"two initial states":    first + strings.Replace(second, `"];`, `",style = filled]`, 1),
		"an edge to no state":   first + edge,
		"a state that is none":  strings.Replace(first, "Call", "Cull", 1),
		"an edge from no state": first + second + strings.Replace(edge, "1 ->", "7 ->", 1),
		"a line without an end": first + strings.Repeat("x", 1<<20+1),
		"states of different numbers of processes": first + strings.NewReplacer(`(0 :> \"LockInit\")`, `(0 :> \"LockInit\" @@ 1 :> \"Call\")`,
			`rounds = (0 :> 0)`, `rounds = (0 :> 0 @@ 1 :> 0)`, `read |-> (0 :> -2)`, `read |-> (0 :> -2 @@ 1 :> -2)`).Replace(second),
	} {
		if g, err := ReadGraph(strings.NewReader(text)); err == nil {
			t.Errorf("ReadGraph with %s = %+v, want an error", name, g)
		}
	}
}

// TestUnit_GraphLines: lines that are neither a state nor an edge are skipped,
// and a state may be long.
func TestUnit_GraphLines(t *testing.T) {
	first, second, edge := graphLines()
	long := strings.Replace(second, `happened |-> {}`, `happened |-> {`+strings.Repeat(`\"Die\", `, 10_000)+`\"Die\"}`, 1)
	g, err := ReadGraph(strings.NewReader("strict digraph DiskGraph {\nnodesep=0.35;\n" + first + long + edge + "}\n"))
	if err != nil || len(g.States) != 2 || !g.States[1].Dead || len(g.Edges[0]) != 1 || g.Initial != 0 {
		t.Errorf("ReadGraph: got %d states, %v, %v", len(g.States), g.Edges, err)
	}
}

// graphLines returns two nodes of a graph and an edge between them.
func graphLines() (first, second, edge string) {
	label := func(pc string) string {
		return strings.NewReplacer("Call", pc, "\\", "\\\\", "\"", "\\\"", "\n", "\\n").Replace(stateText)
	}
	return `1 [label="` + label("Call") + `",style = filled]` + "\n",
		`-2 [label="` + label("LockInit") + `"];` + "\n",
		`1 -> -2 [label="Call",color="black",fontcolor="black"];` + "\n"
}

// FuzzGraph reads graphs that TLC might dump: each is a graph or an error.
func FuzzGraph(f *testing.F) {
	first, second, edge := graphLines()
	f.Add(first + second + edge)
	f.Add(first + strings.Replace(second, "0 :>", "1 :>", -1) + edge)
	f.Add(strings.Replace(first, `(0 :> -2)`, `(0 :> -2 @@ 1 :> 0)`, 1) + second + edge)
	f.Fuzz(func(t *testing.T, dot string) {
		g, err := ReadGraph(strings.NewReader(dot))
		if err == nil && len(g.Edges) != len(g.States) {
			t.Errorf("a graph of %d states has the edges of %d", len(g.States), len(g.Edges))
		}
	})
}

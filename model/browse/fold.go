package browse

import (
	"fmt"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A fold is the graph with all states that look alike taken for one.
type fold struct {
	Name    string  `json:"name"`
	Doc     string  `json:"doc"`
	Drawing drawing `json:"drawing"`
	Of      []int   `json:"of"` // by state: its node
}

// A folding says which states look alike: those with the same text.
type folding struct {
	name, doc string
	text      func(model.Config, model.State) string
}

var foldings = []folding{
	{"phase", "By the words: a round drains while the flag is up and 0 ≤ exit < n; otherwise it gathers.", phase},
	{"words", "States with the same words are one.", words},
	{"counters", "States with as many processes in each part of a call are one.", counters},
}

// number returns v with a true minus sign.
func number(v int32) string { return strings.ReplaceAll(fmt.Sprint(v), "-", "−") }

func words(_ model.Config, s model.State) string { return wordsText(s.Words()) }

func wordsText(w spec.Words) string {
	return fmt.Sprintf("enter %s\nexit %s\nflag %s", number(w.Enter), number(w.Exit), number(w.Flag))
}

func phase(cfg model.Config, s model.State) string {
	w, n := s.Words(), int32(cfg.Procs)
	switch {
	case model.Violates(cfg, s, spec.WordsInRange):
		return "words out of range"
	case w.Flag == spec.Up && w.Exit >= 0 && w.Exit < n:
		return fmt.Sprintf("draining\n%d of %d have left", w.Exit, n)
	default:
		return fmt.Sprintf("gathering\n%d of %d counted", w.Enter, n)
	}
}

// The parts of a call, by the step with which each begins.
var parts = []struct {
	first spec.Step
	name  string
}{
	{spec.Call, "outside"}, {spec.LockInit, "arrive"}, {spec.ResetEnter, "are counted"}, {spec.LockExit, "leave"},
	{spec.LockWithdraw, "withdraw"}, {spec.MakeEnter, "construct"},
}

func counters(cfg model.Config, s model.State) string {
	count := make([]int, len(parts)+1)
	for p := range cfg.Procs {
		part := len(parts) // the dead
		if s.Alive(p) {
			part = 0
			for part+1 < len(parts) && s.Step(p) >= parts[part+1].first {
				part++
			}
		}
		count[part]++
	}
	var lines []string
	for i, n := range count {
		name := "are dead"
		if i < len(parts) {
			name = parts[i].name
		}
		if n > 0 {
			lines = append(lines, fmt.Sprintf("%d %s", n, name))
		}
	}
	return strings.Join(lines, "\n")
}

// fold returns the folded graph of v.
func (by folding) fold(v View) fold {
	nodes := newNumbers[string]()
	f := fold{Name: by.name, Doc: by.doc}
	for _, s := range v.Graph.States {
		f.Of = append(f.Of, nodes.of(by.text(v.Config, s)))
	}
	for _, label := range nodes.list {
		f.Drawing.Nodes = append(f.Drawing.Nodes, node{Label: label})
	}
	edges := newNumbers[edge]()
	for from, list := range v.Graph.Edges {
		for _, e := range list {
			if f.Of[from] != f.Of[e.To] {
				edges.of(edge{From: f.Of[from], To: f.Of[e.To]})
			}
		}
	}
	f.Drawing.Edges = edges.list
	return f
}

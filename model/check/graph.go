package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/model/door"
	"sharedbarrier/spec"
)

// writeGraphs writes the files that --dot and --graph-json ask for.
func (f flags) writeGraphs(ctx context.Context, cfg model.Config) error {
	for path, write := range map[string]graphWriter{f.dot: writeDot, f.graphJSON: writeGraphJSON} {
		if path == "" {
			continue
		}
		if err := f.writeGraph(ctx, path, cfg, write); err != nil {
			return err
		}
	}
	return nil
}

type graphWriter func(io.Writer, model.Config, nodes)

// nodes calls yield with every state, its number, and its edges with theirs.
type nodes func(yield func(id int, s model.State, edges []model.Edge, to []int))

// writeGraph writes one file, and leaves none behind that is not complete.
func (f flags) writeGraph(ctx context.Context, path string, cfg model.Config, write graphWriter) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	buffer := bufio.NewWriter(file)
	var incomplete error
	write(buffer, cfg, func(yield func(int, model.State, []model.Edge, []int)) {
		incomplete = f.number(ctx, cfg, yield)
	})
	err = buffer.Flush()
	if closed := file.Close(); err == nil {
		err = closed
	}
	if incomplete != nil {
		err = incomplete
	}
	if err != nil {
		os.Remove(path)
	}
	return err
}

// number numbers the states as they come, from 0, breadth first.
func (f flags) number(ctx context.Context, cfg model.Config, yield func(int, model.State, []model.Edge, []int)) error {
	number := map[model.State]int{model.Init(cfg): 0}
	next := 0
	for s, edges := range model.States(cfg) {
		to := make([]int, len(edges))
		for i, e := range edges {
			id, ok := number[e.To]
			if !ok {
				id = len(number)
				number[e.To] = id
			}
			to[i] = id
		}
		switch {
		case ctx.Err() != nil:
			return door.Exit(spec.ExitInterrupted)
		case f.maxStates > 0 && int64(len(number)) > f.maxStates:
			return fmt.Errorf("the graph has more than %d states: raise --max-states or ask for less", f.maxStates)
		}
		yield(next, s, edges, to)
		next++
	}
	return nil
}

// writeDot writes the graph for Graphviz: a state is its words and steps.
func writeDot(w io.Writer, cfg model.Config, each nodes) {
	fmt.Fprintf(w, "digraph %q {\n\tnode [shape=box, fontname=monospace]\n", title(cfg))
	each(func(id int, s model.State, edges []model.Edge, to []int) {
		label := strings.ReplaceAll(s.Words().String(), " ", `\l`) + `\l`
		for p := range cfg.Procs {
			label += fmt.Sprintf(`p%d %v %d\l`, p, s.Step(p), s.Rounds(p))
		}
		fmt.Fprintf(w, "\t%d [label=\"%s\"]\n", id, label)
		for i, e := range edges {
			fmt.Fprintf(w, "\t%d -> %d [label=%q]\n", id, to[i], e.Action.String())
		}
	})
	fmt.Fprintln(w, "}")
}

// A node is one line of --graph-json.
type node struct {
	ID int `json:"id"`
	model.Snapshot
	Edges []link `json:"edges"`
}

type link struct {
	Proc    int    `json:"proc"`
	Label   string `json:"label"`
	Parties int    `json:"parties,omitempty"`
	To      int    `json:"to"`
}

func writeGraphJSON(w io.Writer, cfg model.Config, each nodes) {
	lines := json.NewEncoder(w)
	each(func(id int, s model.State, edges []model.Edge, to []int) {
		n := node{ID: id, Snapshot: s.Snapshot(cfg), Edges: []link{}}
		for i, e := range edges {
			n.Edges = append(n.Edges, link{e.Action.Proc, e.Action.Label(), e.Action.Parties, to[i]})
		}
		lines.Encode(n) // the buffer below keeps an error until it is flushed
	})
}

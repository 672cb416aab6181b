package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sharedbarrier/model"
	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
)

// writeGraphs writes the files that --dot and --graph-json ask for, in this order.
// Of one that is not finished it says so on stderr, and returns how the command
// ends.
func (f flags) writeGraphs(cmd *cobra.Command, cfg model.Config, opt model.Options) error {
	if f.dot == "" && f.graphJSON == "" {
		return nil
	}
	if err := graphEnds(cmd.Context(), cfg, opt); err != nil {
		return err
	}
	for _, file := range []struct {
		path  string
		write graphWriter
	}{{f.dot, writeDot}, {f.graphJSON, writeGraphJSON}} {
		if file.path == "" {
			continue
		}
		err := writeGraph(cmd.Context(), file.path, cfg, opt, file.write)
		if why, ok := errors.AsType[unfinished](err); ok {
			fmt.Fprintf(cmd.ErrOrStderr(), "not finished: %s is not written: %s\n", file.path, why.text)
			return why.exit
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// graphEnds returns an error when the graph may go on for ever and no limit ends
// it.
func graphEnds(ctx context.Context, cfg model.Config, opt model.Options) error {
	if cfg.Rounds > 0 || opt.MaxStates > 0 || opt.MaxMemory > 0 {
		return nil
	}
	r := model.Explore(ctx, cfg, model.Options{Workers: opt.Workers, Symmetry: true, Check: []spec.Property{spec.NoEarlyExit}})
	if r.Verdict == spec.Verified || r.Interrupted {
		return nil
	}
	return errors.New("NoEarlyExit fails here or the words leave their range, so the graph may have no end: give --rounds, or a limit such as --max-states")
}

// unfinished is the error of a graph that a limit or the context has cut short.
type unfinished struct {
	text string
	exit cli.Exit
}

func (u unfinished) Error() string { return u.text }

type graphWriter func(io.Writer, model.Config, nodes)

// nodes calls yield with every state, its number, and its edges with theirs.
type nodes func(yield func(id int, s model.State, edges []model.Edge, to []int))

// writeGraph writes one file, and leaves none behind that is not complete.
func writeGraph(ctx context.Context, path string, cfg model.Config, opt model.Options, write graphWriter) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	buffer := bufio.NewWriter(file)
	var incomplete error
	write(buffer, cfg, func(yield func(int, model.State, []model.Edge, []int)) {
		incomplete = number(ctx, cfg, opt, yield)
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
func number(ctx context.Context, cfg model.Config, opt model.Options, yield func(int, model.State, []model.Edge, []int)) error {
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
		if err := within(ctx, opt, int64(len(number))); err != nil {
			return err
		}
		yield(next, s, edges, to)
		next++
	}
	return nil
}

// stateMemory is what a state of a graph takes, in bytes: it stands in two maps and
// for a while in a queue.
const stateMemory = 1 << 10

// within returns an error when so many states of a graph are beyond a limit, or
// ctx has ended.
func within(ctx context.Context, opt model.Options, states int64) error {
	switch {
	case ctx.Err() != nil:
		return unfinished{"interrupted", spec.ExitInterrupted}
	case opt.MaxStates > 0 && states > opt.MaxStates:
		return unfinished{fmt.Sprintf("the graph has more than %d states: raise --max-states or ask for less", opt.MaxStates), spec.ExitUnfinished}
	case opt.MaxMemory > 0 && states*stateMemory > forStates(opt.MaxMemory):
		return unfinished{fmt.Sprintf("the graph has more than the %d states that --max-memory has room for: raise it or ask for less",
			forStates(opt.MaxMemory)/stateMemory), spec.ExitUnfinished}
	default:
		return nil
	}
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

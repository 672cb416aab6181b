package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"sharedbarrier/model"
	"sharedbarrier/model/cli"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
)

// writeGraphs writes the files that --dot and --graph-json ask for, in this
// order. Of one that is not finished it says so on stderr, and returns how the
// command ends.
func (f flags) writeGraphs(cmd *cobra.Command, cfg model.Config, opt explore.Options) error {
	if f.dot == "" && f.graphJSON == "" {
		return nil
	}
	if err := graphEnds(cmd.Context(), cfg, opt); err != nil {
		return err
	}
	g, err := newGraph(cmd.Context(), cfg, opt)
	if err != nil {
		return notWritten(cmd, cmp.Or(f.dot, f.graphJSON), err)
	}
	for _, file := range []struct {
		path  string
		write graphWriter
	}{{f.dot, writeDot}, {f.graphJSON, writeGraphJSON}} {
		if file.path == "" {
			continue
		}
		err := cli.WriteFile(file.path, func(w io.Writer) error { return file.write(w, cfg, g) })
		if err != nil {
			return err
		}
	}
	return nil
}

// graphEnds returns an error when the graph may have no end and there is no
// limit.
func graphEnds(ctx context.Context, cfg model.Config, opt explore.Options) error {
	if cfg.Rounds > 0 || opt.MaxStates > 0 || opt.MaxMemory > 0 {
		return nil
	}
	r := explore.Explore(ctx, cfg, explore.Options{Workers: opt.Workers, Symmetry: true, Check: []spec.Property{spec.NoEarlyExit}})
	if r.Verdict == spec.Verified || r.Interrupted {
		return nil
	}
	return errors.New("NoEarlyExit fails here or the words leave their range, so the graph may have no end: give --rounds, or a limit such as --max-states")
}

// notWritten says why the file is not written, and returns how the command
// ends.
func notWritten(cmd *cobra.Command, path string, err error) error {
	why, ok := errors.AsType[unfinished](err)
	if !ok {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "not finished: %s is not written: %s\n", path, why.text)
	return why.exit
}

// unfinished is the error of a graph that a limit or the context has cut short.
type unfinished struct {
	text string
	exit cli.Exit
}

func (u unfinished) Error() string { return u.text }

// graph is the graph of the barrier.
type graph = explore.Graph[model.State, model.Action]

// A graphWriter writes a whole graph.
type graphWriter func(io.Writer, model.Config, *graph) error

// newGraph returns the graph of cfg, or an error when it is beyond a limit, or
// ctx has ended.
func newGraph(ctx context.Context, cfg model.Config, opt explore.Options) (*graph, error) {
	g := &graph{}
	for range g.Grow(model.NewMachine(cfg)) {
		if err := within(ctx, opt, int64(len(g.States))); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// stateMemory is what a state of a graph takes, in bytes.
const stateMemory = 1 << 10

// within returns an error when so many states of a graph are beyond a limit, or
// ctx has ended.
func within(ctx context.Context, opt explore.Options, states int64) error {
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
func writeDot(w io.Writer, cfg model.Config, g *graph) error {
	fmt.Fprintf(w, "digraph %q {\n\tnode [shape=box, fontname=monospace]\n", cfg.Name())
	for id, s := range g.States {
		label := strings.ReplaceAll(s.Words().String(), " ", `\l`) + `\l`
		for p := range cfg.Procs {
			label += fmt.Sprintf(`p%d %v %d\l`, p, s.Step(p), s.Rounds(p))
		}
		fmt.Fprintf(w, "\t%d [label=\"%s\"]\n", id, label)
		for _, e := range g.Edges[id] {
			fmt.Fprintf(w, "\t%d -> %d [label=%q]\n", id, e.To, e.Action.String())
		}
	}
	_, err := fmt.Fprintln(w, "}")
	return err
}

// graphVersion is the version of the lines of --graph-json.
const graphVersion = 1

// A node is one line of --graph-json.
type node struct {
	Version int `json:"version"`
	ID      int `json:"id"`
	model.Snapshot
	Edges []link `json:"edges"`
}

type link struct {
	Proc    int    `json:"proc"`
	Label   string `json:"label"`
	Parties int    `json:"parties,omitempty"`
	To      int    `json:"to"`
}

func writeGraphJSON(w io.Writer, cfg model.Config, g *graph) error {
	lines := json.NewEncoder(w)
	for id, s := range g.States {
		n := node{Version: graphVersion, ID: id, Snapshot: s.Snapshot(cfg), Edges: []link{}}
		for _, e := range g.Edges[id] {
			n.Edges = append(n.Edges, link{e.Action.Proc, e.Action.Label(), e.Action.Parties, e.To})
		}
		if err := lines.Encode(n); err != nil {
			return err
		}
	}
	return nil
}

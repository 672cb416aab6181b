package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

func printJSON(w io.Writer, _ model.Config, r model.Report) error {
	return json.NewEncoder(w).Encode(r.Result)
}

func printTable(w io.Writer, cfg model.Config, r model.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "scenario\tprocs\trounds\tverdict\tproperty\tgenerated\tdistinct\tdepth\tseconds")
	fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%d\t%d\t%d\t%.2f\n", r.Scenario, r.Procs, rounds(r.Rounds), r.Verdict,
		dash(r.Property), r.Generated, r.Distinct, r.Depth, r.Seconds)
	t.Flush()
	if r.Why != "" {
		fmt.Fprintf(w, "\nnot finished: %s\n", r.Why)
	}
	if len(r.Trace) > 0 {
		p, _ := spec.ParseProperty(r.Property)
		fmt.Fprintf(w, "\n%s fails: %s.\nA shortest counterexample:\n\n", r.Property, p.Says())
		printTrace(w, r.Trace)
	}
	if r.Verdict != spec.Verified {
		fmt.Fprintf(w, "\nreproduce: %s\n", reproduce(cfg, r))
	}
	return nil
}

// printTrace prints who did what, with the words before and after; a word that
// a step left alone stands there once.
func printTrace(w io.Writer, trace []model.Entry) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "#\twho\tstep\tenter\texit\tflag")
	before := spec.Initial
	for i, e := range trace {
		who, label := fmt.Sprintf("p%d", e.Proc), e.Label
		if e.Proc < 0 {
			who = "-"
		}
		if e.Parties > 0 {
			label = fmt.Sprintf("%s(%d)", label, e.Parties)
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", i+1, who, label, change(before.Enter, e.Words.Enter),
			change(before.Exit, e.Words.Exit), change(before.Flag, e.Words.Flag))
		before = e.Words
	}
	t.Flush()
}

func change(before, after int32) string {
	if before == after {
		return fmt.Sprint(after)
	}
	return fmt.Sprintf("%d → %d", before, after)
}

// reproduce is the command that finds the same again.
func reproduce(cfg model.Config, r model.Report) string {
	args := []string{"go run ./model/check", "--scenario", r.Scenario, "--procs", fmt.Sprint(r.Procs), "--rounds", fmt.Sprint(r.Rounds)}
	if cfg.Twin {
		args = append(args, "--twin")
	}
	if cfg.WeakReads {
		args = append(args, "--weak-reads")
	}
	if r.Property != "" {
		args = append(args, "--property", r.Property)
	}
	return strings.Join(args, " ")
}

func rounds(n int) string {
	if n == 0 {
		return "any"
	}
	return fmt.Sprint(n)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

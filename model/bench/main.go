//go:build linux

// Command bench runs three model checkers side by side on the same question,
// scenario reuse with bounded rounds and no symmetry, and prints wall time,
// peak memory and the ratios: the explorer of this project, Stateright (a Rust
// program in stateright/ that it builds with cargo), and TLC (Java, the spec in
// tla/ and the jar that TLA2TOOLS_JAR names or that go run ./tla/check has
// fetched).
//
//	go run ./model/bench            # from the root of the repository
//	go run ./model/bench --update   # also writes the table into model/bench/README.md
//
// The engines take turns, so that other load hits them alike, and the median
// counts. They must agree on the number of states, or there is no table. An
// engine whose tool is missing is left out with a line that says so.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sharedbarrier/model/cli"
	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/model/cli/workdir"
)

func main() { cli.Main(command()) }

type flags struct {
	procs  []int
	rounds int
	runs   int
	update bool
}

func command() *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Run this explorer, Stateright and TLC side by side and print the ratios",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return run(cmd, f) },
	}
	set := cmd.Flags()
	set.IntSliceVar(&f.procs, "procs", []int{4, 5, 6}, "numbers of processes, up to 6")
	set.IntVar(&f.rounds, "rounds", 3, "calls that each process makes")
	set.IntVar(&f.runs, "runs", 5, "runs of each engine (TLC: one), of which the median counts")
	set.BoolVar(&f.update, "update", false, "write the table into model/bench/README.md")
	return cmd
}

func run(cmd *cobra.Command, f flags) error {
	if f.rounds < 1 || f.runs < 1 || slices.ContainsFunc(f.procs, func(n int) bool { return n < 1 || n > 6 }) {
		return errors.New("give --procs from 1 to 6, --rounds and --runs from 1")
	}
	if _, err := os.Stat("model/bench/README.md"); err != nil {
		return errors.New("run it from the root of the repository")
	}
	dir, err := workdir.Make("", "sharedbarrier-bench-")
	if err != nil {
		return err
	}
	defer dir.Remove()
	os.Setenv("TMPDIR", dir.Path) // what the compilers leave when they are killed is removed, too
	engines, err := prepare(cmd.Context(), dir.Path, f.rounds)
	if err != nil {
		return err
	}
	rows, err := measure(cmd.Context(), engines, f)
	if err != nil {
		return err
	}
	printTable(cmd.OutOrStdout(), engines, rows)
	if f.update {
		return updatePage(engines, rows, f)
	}
	return nil
}

// A row is what was measured at one size, by engine.
type row struct {
	procs    int
	distinct string
	runs     [][]sample
}

// measure lets the engines take turns at each size.
func measure(ctx context.Context, engines []engine, f flags) (rows []row, err error) {
	total := 0
	for _, e := range engines {
		total += len(f.procs) * e.runs(f.runs)
	}
	bar := cli.Bar(`{{string . "now"}} {{counters .}} {{bar .}} {{rtime .}}`, int64(total))
	defer bar.Finish()
	for _, n := range f.procs {
		r := row{procs: n, runs: make([][]sample, len(engines))}
		for turn := range f.runs {
			for i, e := range engines {
				if turn >= e.runs(f.runs) {
					continue
				}
				bar.Set("now", fmt.Sprintf("%s, n = %d", e.name, n))
				s, err := e.measure(ctx, n)
				if err != nil {
					return nil, err
				}
				if r.distinct == "" {
					r.distinct = s.distinct
				}
				if s.distinct != r.distinct {
					return nil, fmt.Errorf("%s finds %s states for n = %d, others find %s: they do not explore the same", e.name, s.distinct, n, r.distinct)
				}
				r.runs[i] = append(r.runs[i], s)
				bar.Increment()
			}
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// A sample is one run of an engine.
type sample struct {
	seconds  float64
	megabyte float64 // peak resident memory
	distinct string
}

// median returns the median of each of the measures.
func median(runs []sample) sample {
	m := runs[0]
	at := func(of func(sample) float64) float64 {
		var all []float64
		for _, s := range runs {
			all = append(all, of(s))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	m.seconds = at(func(s sample) float64 { return s.seconds })
	m.megabyte = at(func(s sample) float64 { return s.megabyte })
	return m
}

// timed runs a command and returns what it printed, with wall time and memory.
func timed(ctx context.Context, cmd *exec.Cmd) (out string, s sample, err error) {
	var stderr strings.Builder
	cmd.Stderr = &stderr
	start := time.Now()
	stdout, err := procgroup.Output(ctx, cmd)
	s.seconds = time.Since(start).Seconds()
	if err != nil {
		return "", s, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, lastLines(stderr.String()+string(stdout)))
	}
	s.megabyte = float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) / 1024
	return string(stdout), s, nil
}

func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}

func printTable(w io.Writer, engines []engine, rows []row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(head, "\t"))
	for _, cells := range table(engines, rows) {
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	t.Flush()
}

var head = []string{"n", "states", "engine", "seconds", "times ours", "peak MB", "times ours"}

// table returns the cells of the table, the first engine being ours.
func table(engines []engine, rows []row) (lines [][]string) {
	for _, r := range rows {
		ours := median(r.runs[0])
		for i, e := range engines {
			m := median(r.runs[i])
			lines = append(lines, []string{
				fmt.Sprint(r.procs), r.distinct, e.name,
				fmt.Sprintf("%.3f", m.seconds), fmt.Sprintf("%.1f", m.seconds/ours.seconds),
				fmt.Sprintf("%.0f", m.megabyte), fmt.Sprintf("%.1f", m.megabyte/ours.megabyte),
			})
		}
	}
	return lines
}

// updatePage puts the table into the page that this command belongs to.
func updatePage(engines []engine, rows []row, f flags) error {
	page := filepath.Join("model", "bench", "README.md")
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, ok1 := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has no marks for the table", page)
	}
	body := fmt.Sprintf("%d rounds, %d cores, median of %d runs (TLC: 1), %s\n\n", f.rounds, runtime.NumCPU(), f.runs, time.Now().Format(time.DateOnly))
	body += "| " + strings.Join(head, " | ") + " |\n|" + strings.Repeat("---|", len(head)) + "\n"
	for _, cells := range table(engines, rows) {
		body += "| " + strings.Join(cells, " | ") + " |\n"
	}
	return cli.WriteFile(page, func(w io.Writer) error {
		_, err := io.WriteString(w, before+begin+body+end+after)
		return err
	})
}

const begin, end = "<!-- table:bench -->\n", "<!-- /table:bench -->"

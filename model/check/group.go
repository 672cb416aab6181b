package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sharedbarrier/model"
	"sharedbarrier/model/cli"
	"sharedbarrier/model/explore"
	"sharedbarrier/model/group"
	"sharedbarrier/model/timeline"
	"sharedbarrier/spec"
)

// groupVersion is the version of groupLine.
const groupVersion = 1

// A groupLine is what an exploration of a group found out, for --json.
type groupLine struct {
	Version   int                `json:"version"`
	Members   int                `json:"members"`
	Foreign   int                `json:"foreign"`
	Rounds    int                `json:"rounds"`
	Deaths    int                `json:"deaths"`
	May       []string           `json:"may"`
	Mutant    string             `json:"mutant,omitempty"`
	Checked   []string           `json:"checked,omitempty"` // names of spec.Property; empty: all
	Verdict   spec.Verdict       `json:"verdict"`
	Property  string             `json:"property,omitempty"`
	Why       string             `json:"why,omitempty"` // unfinished: what ended it
	Generated int64              `json:"generated"`
	Distinct  int64              `json:"distinct"`
	Depth     int                `json:"depth"`
	Seconds   float64            `json:"seconds"`
	Trace     []groupEntry       `json:"trace,omitempty"`
	Loop      int                `json:"loop,omitempty"`    // the entry, from 1, that follows the last one again
	Reached   []group.Transition `json:"reached,omitempty"` // with --coverage
}

// A groupEntry is a step or an event.
type groupEntry struct {
	Thread string     `json:"thread"` // as in group.Config.ThreadName
	Label  string     `json:"label"`
	Words  spec.Words `json:"words"` // after it
}

func groupMutantNames() string {
	var names []string
	for _, m := range group.Mutants {
		names = append(names, m.Name)
	}
	return strings.Join(names, ", ")
}

// runGroup explores the groups that --group asks for.
func runGroup(cmd *cobra.Command, f flags) error {
	list, err := f.groups(cmd)
	if err != nil {
		return err
	}
	opt, err := f.options(cmd, model.Config{}) // with liveness, if no flag says otherwise
	if err != nil {
		return err
	}
	defer keepMemory(opt.MaxMemory)()
	out := cmd.OutOrStdout()
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if !f.json {
		fmt.Fprintln(table, "group\trounds\tdeaths\tmay\tmutant\tverdict\tproperty\tgenerated\tdistinct\tdepth\tseconds")
	}
	var end error
	for _, cfg := range list {
		o, l := exploreGroup(cmd, cfg, opt)
		if o.Verdict == spec.Verified && !completes(group.Transitions(o.Taken)) {
			return errors.New("nothing was violated, but no call ever returned either: the question is empty")
		}
		if f.json {
			if f.coverage {
				l.Reached = group.Transitions(o.Taken)
			}
			printJSON(out, l)
		} else {
			fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%.2f\n", cfg.Parties(), cfg.Rounds, cfg.Deaths, cmp.Or(strings.Join(l.May, ","), "-"),
				cmp.Or(l.Mutant, "-"), l.Verdict, cmp.Or(l.Property, "-"), l.Generated, l.Distinct, l.Depth, l.Seconds)
			table.Flush()
			printGroup(out, cfg, opt, o, f.coverage)
		}
		if err := f.writeGroupTimeline(cmd, cfg, opt, o); err != nil {
			return err
		}
		if o.Verdict != spec.Verified {
			cli.Reproduce(cmd, reproduceGroup(cfg, opt))
			end = cmp.Or(end, exit(explore.Report{Result: groupVerdict(o), Interrupted: o.Interrupted}))
		}
		if o.Interrupted {
			break
		}
	}
	return end
}

type groupOutcome = explore.Outcome[group.Action]

// groupVerdict returns verdict and property in the form of the base.
func groupVerdict(o groupOutcome) model.Result {
	r := model.Result{Verdict: o.Verdict}
	if o.Verdict == spec.Violated || o.Verdict == spec.Hang {
		r.Property = o.Property.String()
	}
	return r
}

// groups returns what the flags ask about.
func (f flags) groups(cmd *cobra.Command) (list []group.Config, err error) {
	for _, name := range []string{"scenario", "procs", "control", "weak-reads", "symmetry", "dot", "graph-json", "go-test", "html"} {
		if cmd.Flags().Changed(name) {
			return nil, fmt.Errorf("--group and --%s do not go together: leave one of them out", name)
		}
	}
	if f.group == "all" {
		for _, name := range []string{"rounds", "deaths", "may", "mutant", "property", "liveness", "coverage", "timeline"} {
			if cmd.Flags().Changed(name) {
				return nil, fmt.Errorf("--group all asks its own questions: leave --%s out", name)
			}
		}
		for _, e := range group.Explored {
			list = append(list, e.Config)
		}
		return list, nil
	}
	form := regexp.MustCompile(`^(\d{1,3})(?:\+(\d{1,3}))?$`).FindStringSubmatch(f.group)
	if form == nil {
		return nil, fmt.Errorf("--group %q: give members and foreign parties, such as 2+1, or all", f.group)
	}
	cfg := group.Config{Rounds: f.rounds, Deaths: f.deaths}
	cfg.Members, _ = strconv.Atoi(form[1])
	cfg.Foreign, _ = strconv.Atoi(form[2]) // 0 if it is left out
	if !cmd.Flags().Changed("rounds") {
		cfg.Rounds = 2
	}
	for _, name := range f.may {
		if err := cfg.Allow(name); err != nil {
			return nil, fmt.Errorf("--may: %w", err)
		}
	}
	if f.mutant != "" {
		if cfg.Mutant = group.MutantNamed(f.mutant); cfg.Mutant == nil {
			return nil, fmt.Errorf("no mutant of a group is named %q: give one of %s", f.mutant, groupMutantNames())
		}
	}
	return []group.Config{cfg}, cfg.Validate()
}

// exploreGroup explores, and shows how far it is.
func exploreGroup(cmd *cobra.Command, cfg group.Config, opt explore.Options) (groupOutcome, groupLine) {
	limit := opt
	limit.MaxMemory = forStates(opt.MaxMemory)
	meter := newMeter("group " + cfg.Parties())
	defer meter.finish()
	limit.Progress = meter.show
	start, m := time.Now(), group.NewMachine(cfg)
	o := explore.Run(cmd.Context(), m, limit)
	l := groupLine{
		Version: groupVersion, Members: cfg.Members, Foreign: cfg.Foreign, Rounds: cfg.Rounds, Deaths: cfg.Deaths, May: cfg.May(),
		Checked: names(opt.Check), Verdict: o.Verdict, Property: groupVerdict(o).Property, Why: o.Why,
		Generated: o.Generated, Distinct: o.Distinct, Depth: o.Depth, Seconds: time.Since(start).Seconds(), Loop: o.Loop,
	}
	if cfg.Mutant != nil {
		l.Mutant = cfg.Mutant.Name
	}
	states := m.Along(o.Path)
	for i, a := range o.Path {
		l.Trace = append(l.Trace, groupEntry{cfg.ThreadName(int(a.Thread)), states[i].Label(cfg, a), states[i+1].Words()})
	}
	return o, l
}

// completes reports whether a call has returned nil or the error.
func completes(taken []group.Transition) bool {
	for _, t := range taken {
		if t.At == spec.Return.String() && t.Event == "" {
			return true
		}
	}
	return false
}

// printGroup prints what there is to say below the table.
func printGroup(w io.Writer, cfg group.Config, opt explore.Options, o groupOutcome, coverage bool) {
	if o.Verdict == spec.Verified && !opt.Liveness {
		fmt.Fprintln(w, "\nNoHang was checked for deadlock only; --liveness looks for fair loops too")
	}
	if o.Verdict == spec.Verified && cfg.Mutant != nil {
		fmt.Fprintln(w, "\nSome mutants only break the schedule of PROTOCOL.md, or need other parties and events: spec/GROUP.md, Evidence.")
	}
	if coverage {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "\nat\twhat\tnext\ttimes")
		for _, tr := range group.Transitions(o.Taken) {
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\n", tr.At, cmp.Or(tr.Event, "step"), cmp.Or(tr.Next, "-"), tr.Times)
		}
		t.Flush()
	}
	if o.Why != "" {
		fmt.Fprintf(w, "\nnot finished: %s\n", o.Why)
	}
	if len(o.Path) > 0 {
		fmt.Fprintf(w, "\n%v fails: %s.\nA shortest counterexample (m0 is member 0, g0 its guardian, f0 a foreign party):\n\n", o.Property, o.Property.Doc())
		fmt.Fprint(w, groupTimeline(cfg, opt, o).Text())
	}
}

func groupTimeline(cfg group.Config, opt explore.Options, o groupOutcome) timeline.Timeline {
	t := timeline.OfGroup(cfg, o.Path, o.Loop, o.Verdict == spec.Hang)
	t.Command = reproduceGroup(cfg, opt)
	t.Doc = fmt.Sprintf("%v fails: %s. A counterexample of %d steps.", o.Property, strings.ReplaceAll(o.Property.Doc(), "`", ""), len(o.Path))
	return t
}

// writeGroupTimeline writes the page that --timeline asks for.
func (f flags) writeGroupTimeline(cmd *cobra.Command, cfg group.Config, opt explore.Options, o groupOutcome) error {
	if f.timeline == "" {
		return nil
	}
	var list []timeline.Timeline
	if len(o.Path) > 0 {
		list = append(list, groupTimeline(cfg, opt, o))
	}
	return timeline.WriteFile(f.timeline, cmd.ErrOrStderr(), "Counterexample", list...)
}

// reproduceGroup returns the command that finds the same again.
func reproduceGroup(cfg group.Config, opt explore.Options) string {
	line := fmt.Sprintf("go run ./model/check --group %s --rounds %d --deaths %d", cfg.Parties(), cfg.Rounds, cfg.Deaths)
	if may := cfg.May(); len(may) > 0 {
		line += " --may " + strings.Join(may, ",")
	}
	if cfg.Mutant != nil {
		line += " --mutant " + cfg.Mutant.Name
	}
	if !opt.Liveness {
		line += " --liveness=false"
	}
	return line + limits(opt)
}

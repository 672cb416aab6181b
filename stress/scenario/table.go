//go:build linux

package scenario

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
)

// Text writes the results as a table, one row for each scenario and each
// control, and below it what needs more words. Of one scenario it writes each
// outcome and each situation, too.
func Text(out io.Writer, results []Result) error {
	var b strings.Builder
	summary(&b, results)
	for _, r := range results {
		if len(r.NotMet) > 0 {
			fmt.Fprintf(&b, "\nNot met by %s: %s.\n", r.name(), strings.Join(described(r.NotMet), "; "))
		}
	}
	for _, r := range results {
		if r.Why != "" {
			fmt.Fprintf(&b, "\n%s\n", cli.Sentence(fmt.Sprintf("%s, %s: %s", r.Verdict, r.name(), r.Why)))
		}
	}
	if len(results) > 0 && results[0].Scenario == results[len(results)-1].Scenario {
		details(&b, results)
	}
	b.WriteString("\n" + legend)
	_, err := io.WriteString(out, b.String())
	return err
}

const legend = `seen      trials that showed the outcome; the model can reach it there
not seen  with 95 % confidence the rate in a round is lower: 1 - 0.05^(1/rounds)
met       situations that the model can reach there, and that a trial was in
`

// summary writes a row for each result.
func summary(b *strings.Builder, results []Result) {
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "scenario\tprocesses\trounds\tseen\tnot seen\tmet\tverdict")
	for i, r := range results {
		name := r.name()
		if r.Control && i > 0 && results[i-1].Scenario == r.Scenario {
			name = "  control"
		}
		seen, unseen := r.columns()
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%s\t%d of %d\t%s\n", name, r.Procs, r.Rounds, seen, unseen, len(r.Met), len(r.Met)+len(r.NotMet), r.verdict())
	}
	table.Flush()
}

// columns returns what was seen and what was not, of which all have the same
// bound.
func (r Result) columns() (seen, unseen string) {
	var yes, no []string
	count := map[Grade]int{}
	for _, row := range r.Outcomes {
		switch {
		case row.Seen > 0 && row.Grade == Expected:
			yes = append(yes, fmt.Sprintf("%s %d", row.Name, row.Seen))
		case row.Seen > 0:
			yes = append(yes, fmt.Sprintf("%s %d (%s)", row.Name, row.Seen, row.Grade))
		case row.Grade == Expected:
			no = append(no, row.Name+" (expected)")
		default:
			count[row.Grade]++
		}
	}
	for _, g := range []Grade{Allowed, Undecided, Forbidden} {
		if count[g] > 0 {
			no = append(no, fmt.Sprintf("%d %s", count[g], g))
		}
	}
	if len(yes) == 0 {
		yes = []string{"nothing"}
	}
	unseen = strings.Join(no, ", ")
	if unseen != "" {
		unseen += ": < " + percent(Bound(r.Rounds))
	}
	return strings.Join(yes, ", "), unseen
}

// percent writes a rate with two digits.
func percent(rate float64) string {
	if rate >= 0.1 {
		return fmt.Sprintf("%.0f %%", 100*rate)
	}
	return fmt.Sprintf("%.2g %%", 100*rate)
}

func (r Result) verdict() string {
	if r.Verdict == spec.Passed {
		return "as expected"
	}
	return string(r.Verdict)
}

func (r Result) name() string {
	if r.Control {
		return r.Scenario.String() + ", control"
	}
	return r.Scenario.String()
}

// described adds to the names of situations what they are.
func described(names []string) (list []string) {
	for _, name := range names {
		for _, m := range oracle.AllMet {
			if m.String() == name {
				list = append(list, fmt.Sprintf("%s (%s)", name, m.Doc()))
			}
		}
	}
	return list
}

// details writes each outcome and each situation, with a column for each
// result.
func details(b *strings.Builder, results []Result) {
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	write := func(first string, cell func(Result) string) {
		fmt.Fprint(table, first)
		for _, r := range results {
			fmt.Fprint(table, "\t"+cell(r))
		}
		fmt.Fprintln(table)
	}
	fmt.Fprintln(table)
	heading := func(first string) {
		write(first, func(r Result) string {
			if r.Control {
				return "control"
			}
			return r.Scenario.String()
		})
	}
	heading("outcome")
	for i, row := range results[0].Outcomes {
		if i >= len(AllOutcomes) {
			break // situations that the model does not reach
		}
		write(row.Name, func(r Result) string { return r.text(r.Outcomes[i]) })
	}
	fmt.Fprintln(table)
	heading("situation")
	for _, m := range oracle.AllMet {
		write(m.String(), func(r Result) string { return r.situation(m.String()) })
	}
	table.Flush()
}

// text describes one of the outcomes.
func (r Result) text(row Row) string {
	if row.Seen == 0 {
		return fmt.Sprintf("%s, not seen: < %s", row.Grade, percent(Bound(r.Rounds)))
	}
	return fmt.Sprintf("%s, seen in %d of %d trials", row.Grade, row.Seen, r.Trials)
}

// situation says whether a situation was met.
func (r Result) situation(name string) string {
	for _, met := range r.Met {
		if met == name {
			return "met"
		}
	}
	for _, not := range r.NotMet {
		if not == name {
			return "not met"
		}
	}
	for _, row := range r.Outcomes {
		if row.Name == name {
			return "met, and forbidden"
		}
	}
	return "-"
}

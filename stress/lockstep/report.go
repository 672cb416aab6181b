//go:build linux

package lockstep

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"sharedbarrier/model"
	"sharedbarrier/model/timeline"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port/registry"
)

// Version is the version of the JSON form of Report.
const Version = 2

// A Report is the result of one run. Its JSON form is one line.
type Report struct {
	Version  int          `json:"version"`
	Mode     string       `json:"mode"` // tour, random, schedule, the property of a hazard, or crash at a label
	Scenario string       `json:"scenario"`
	Procs    int          `json:"procs"`
	Rounds   int          `json:"rounds"`   // 0: unbounded
	Ports    []string     `json:"ports"`    // by process
	Verdict  spec.Verdict `json:"verdict"`  // passed: the real side did as the model; violated: it did not; unfinished: interrupted, or left out
	Observed []string     `json:"observed"` // properties that failed for real, as in the model, or Refused
	Why      string       `json:"why"`      // the difference, or what shows what was observed, or why the run is unfinished
	Edges    int          `json:"edges"`    // of the state graph; 0: not a tour
	Covered  int          `json:"covered"`  // edges that were really taken
	Steps    int          `json:"steps"`    // steps and events, really taken or tried
	Blocked  int          `json:"blocked"`  // of these, steps that had to block and did
	Seconds  float64      `json:"seconds"`
	Rate     float64      `json:"steps_per_second"`
	Seed     uint64       `json:"seed"`     // of random moves
	Schedule string       `json:"schedule"` // of a difference, or of what was observed; else empty

	leftOut  bool              // the port lacks a capability
	timeline timeline.Timeline // of the moves, where Schedule is given
	silent   bool              // the difference is that a party did not answer in time
}

// Refused is observed when a party finds the words out of range and says so
// (PROTOCOL.md, section 9) instead of going on.
const Refused = "refused"

// WriteTable writes the reports as one table, and under it the schedule of a
// difference, or of the only run.
func WriteTable(out io.Writer, reports []Report) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "run\tscenario\tprocs\tports\tverdict\tobserved\tedges\tsteps\tblocked\tsteps/s\tseconds")
	refused, left := 0, 0
	for _, r := range reports {
		edges, observed := "-", "-"
		if r.Edges > 0 {
			edges = fmt.Sprintf("%d of %d", r.Covered, r.Edges)
		}
		if len(r.Observed) > 0 {
			observed = strings.Join(r.Observed, ", ")
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%d\t%d\t%.0f\t%.2f\n", r.Mode, r.Scenario, r.Procs,
			strings.Join(registry.Counted(r.Ports), " "), r.Verdict, observed, edges, r.Steps, r.Blocked, r.Rate, r.Seconds)
		if slices.Contains(r.Observed, Refused) {
			refused++
		}
		if r.leftOut {
			left++
		}
	}
	t.Flush()
	for _, r := range reports {
		if r.Verdict == spec.Unfinished {
			fmt.Fprintf(&b, "\n%s, %s with %d processes: %s\n", r.Mode, r.Scenario, r.Procs, r.Why)
		}
	}
	if refused > 0 && len(reports) > 1 {
		fmt.Fprintf(&b, "\nRefused: %d. --port python checks no words, and shows what happens then.\n", refused)
	}
	if left > 0 {
		fmt.Fprintf(&b, "\nLeft out: %d. --port c has every capability.\n", left)
	}
	last := reports[len(reports)-1]
	if last.Verdict == spec.Violated {
		fmt.Fprintf(&b, "\nDifference: %s\n", last.Why)
	} else if len(last.Observed) > 0 && len(reports) == 1 {
		fmt.Fprintf(&b, "\nObserved: %s\n", last.Why)
	}
	if last.Schedule != "" && (last.Verdict == spec.Violated || len(reports) == 1) {
		fmt.Fprintf(&b, "\n%s", last.timeline.Text())
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// Timelines returns the timeline of each report that has a schedule: of a
// difference, or of what was observed.
func Timelines(reports []Report) (list []timeline.Timeline) {
	for _, r := range reports {
		if r.Schedule == "" {
			continue
		}
		t := r.timeline
		t.Title += ", ports " + strings.Join(registry.Counted(r.Ports), " ")
		t.Command = r.Command()
		if r.Verdict == spec.Violated {
			t.Doc = "The real barrier differs from the model: " + r.Why + "."
		} else {
			t.Doc = fmt.Sprintf("Observed: %s (%s).", strings.Join(r.Observed, ", "), r.Why)
		}
		if r.Verdict == spec.Violated || !slices.Contains(r.Observed, spec.NoHang.String()) {
			t.MarkLast()
		}
		list = append(list, t)
	}
	return list
}

// Command returns the command that replays the schedule of the report. If there
// is none the parties differ as soon as they open, which any run shows.
func (r Report) Command() string {
	rounds, moves := "", "--random --steps 1"
	if r.Rounds > 0 {
		rounds = fmt.Sprintf(" --rounds %d", r.Rounds)
	}
	if r.Schedule != "" {
		moves = "--moves '" + r.Schedule + "'"
	}
	return fmt.Sprintf("go run ./stress lockstep --scenario %s --procs %d%s %s %s", r.Scenario, r.Procs, rounds, registry.Flags(r.Ports), moves)
}

// observe reports which properties fail in the state that the real side is in,
// and what shows it.
func (s *session) observe(rep *Report, stuck bool) {
	if s.refused != "" {
		rep.Observed, rep.Why = []string{Refused}, s.refused
		return
	}
	var shown []string
	for _, p := range spec.AllProperties {
		if model.Violates(s.cfg, s.state, p) || stuck && p == spec.NoHang {
			rep.Observed = append(rep.Observed, p.String())
			if text := s.evidence(p); !slices.Contains(shown, text) {
				shown = append(shown, text)
			}
		}
	}
	rep.Why = strings.Join(shown, "; ")
}

// evidence says what the real side, which is where the model is, shows of the
// violation of p.
func (s *session) evidence(p spec.Property) string {
	switch p {
	case spec.NoEarlyExit:
		return fmt.Sprintf("calls begun %v, returned %v", s.begun, s.returned)
	case spec.LockExclusive, spec.NoHang:
		list := make([]string, len(s.parties))
		for p := range list {
			step := s.state.Step(p)
			list[p] = fmt.Sprintf("p%d is at %v", p, step)
			switch {
			case !s.state.Alive(p):
				list[p] = fmt.Sprintf("p%d is dead", p)
			case !s.state.Inside(p):
				list[p] = fmt.Sprintf("p%d is outside", p)
			case step.Holds():
				list[p] = fmt.Sprintf("p%d holds a lock at %v", p, step)
			case Blocked(s.cfg, s.state, p):
				list[p] = fmt.Sprintf("p%d is blocked at %v", p, step)
			}
		}
		return strings.Join(list, ", ")
	default:
		return s.state.Words().String()
	}
}

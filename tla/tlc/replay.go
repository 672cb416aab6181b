package tlc

import (
	"context"
	"fmt"
	"strings"

	"sharedbarrier/model"
)

// Replay has TLC take the steps of the traces, with the constants of
// r.Question, and returns how many it takes in all. In each trace TLC stops at
// the first step that MCSharedBarrier does not allow or that leads to other
// words. Errors are those of Check.
func (r Run) Replay(ctx context.Context, list ...model.Trace) (steps int, err error) {
	q := r.Question
	r.Question = Question{Scenario: q.Scenario, Control: q.Control, Procs: q.Procs, Rounds: q.Rounds, Spec: "ReplaySpec"}
	r.traces = &traces{root: "Replay", config: r.Question.Configuration(), name: "Schedule", text: schedule(list)}
	out, err := r.Check(ctx)
	return int(out.Distinct) - len(list), err
}

// schedule is the module Schedule, which Replay reads.
func schedule(traces []model.Trace) string {
	var list []string
	for _, trace := range traces {
		var steps []string
		for _, e := range trace {
			steps = append(steps, fmt.Sprintf("<<%d, %q, %d, %d, %d>>", e.Proc, e.Label, e.Words.Enter, e.Words.Exit, e.Words.Flag))
		}
		list = append(list, "<<"+strings.Join(steps, ", ")+">>")
	}
	return "---- MODULE Schedule ----\nEXTENDS Integers\nTraces == <<" + strings.Join(list, ",\n") + ">>\n====\n"
}

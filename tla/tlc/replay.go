package tlc

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// Accepts reports whether all of the traces are behaviours of SharedBarrier
// with the constants of r.Config, step by step and with the same words. Errors
// are those of Check.
func (r Run) Accepts(ctx context.Context, traces ...[]model.Entry) (bool, error) {
	r.schedule = schedule(traces)
	r.Config.text = checks.ReplaceAllString(r.Config.text, "") + "\nSPECIFICATION ReplaySpec\n"
	r.Config.Invariants, r.Config.Properties = nil, nil
	out, err := r.Check(ctx)
	if err != nil {
		return false, err
	}
	want := int64(len(traces))
	for _, trace := range traces {
		want += int64(len(trace))
	}
	return out.Verdict == spec.Verified && out.Distinct == want, nil
}

// checks are the lines of a configuration that say what to check.
var checks = regexp.MustCompile(`(?m)^(SPECIFICATION|INVARIANTS?|PROPERTY) .*$`)

// schedule is the module Schedule, which Replay reads.
func schedule(traces [][]model.Entry) string {
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

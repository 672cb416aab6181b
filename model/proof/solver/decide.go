package solver

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/model/proof"
	"sharedbarrier/spec"
)

// at a time, a process of the solver gets this many conditions.
const batch = 8

// Decide asks the solver about each condition, for at most limit each, with as
// many processes at a time as there are processors. It returns a verdict for
// each: verified, violated, or unfinished if the solver gives up after limit,
// or does not and is killed. Decide blocks until all are decided. It calls
// progress with the number of conditions that a process has decided.
//
// When ctx ends Decide kills the solver's processes and returns the error of
// ctx. It also fails if a process fails, or if its answer makes no sense.
func (s Solver) Decide(ctx context.Context, conditions []proof.Condition, limit time.Duration, progress func(int)) ([]spec.Verdict, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	verdicts := make([]spec.Verdict, len(conditions))
	batches := make(chan int, len(conditions))
	for from := 0; from < len(conditions); from += batch {
		batches <- from
	}
	close(batches)
	var mu sync.Mutex // for progress
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for from := range batches {
				part := conditions[from:min(from+batch, len(conditions))]
				if err := s.decide(ctx, part, verdicts[from:], limit); err != nil {
					stop(err)
					return
				}
				mu.Lock()
				progress(len(part))
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return verdicts, nil
}

// decide asks one process.
func (s Solver) decide(ctx context.Context, conditions []proof.Condition, verdicts []spec.Verdict, limit time.Duration) error {
	var scripts []string
	for _, c := range conditions {
		scripts = append(scripts, fmt.Sprintf("(set-option :%s %d)\n%s", s.timeout, max(limit.Milliseconds(), 1), c.SMT()))
	}
	patience, stop := context.WithTimeout(ctx, time.Duration(len(scripts))*(limit+time.Second)+limit)
	defer stop()
	answers, err := s.ask(patience, scripts)
	if err != nil && patience.Err() == nil {
		i := min(len(answers), len(conditions)-1)
		return fmt.Errorf("%s, condition %s: %w", s.Path, conditions[i].Name, err)
	}
	if len(answers) > len(conditions) {
		return fmt.Errorf("%s: %d lines for %d conditions, the last is %q", s.Path, len(answers), len(conditions), answers[len(answers)-1])
	}
	for i, c := range conditions {
		switch {
		case i == len(answers):
			if err == nil {
				return fmt.Errorf("%s, condition %s: no answer", s.Path, c.Name)
			}
			answers, verdicts[i] = append(answers, "killed"), spec.Unfinished
		case answers[i] == "unsat":
			verdicts[i] = spec.Verified
		case answers[i] == "sat":
			verdicts[i] = spec.Violated
		case answers[i] == "unknown" || answers[i] == "timeout":
			verdicts[i] = spec.Unfinished
		default:
			return fmt.Errorf("%s, condition %s: the answer is %q", s.Path, c.Name, answers[i])
		}
	}
	return nil
}

// ask gives the scripts to a process of the solver. It returns the lines of the
// output, and the error with which the process ends.
func (s Solver) ask(ctx context.Context, scripts []string) (lines []string, err error) {
	cmd := exec.Command(s.Path, s.arguments...)
	cmd.Stdin = strings.NewReader(strings.Join(scripts, "(reset)\n") + "(reset)\n")
	out, err := procgroup.Output(ctx, cmd)
	for line := range strings.Lines(string(out)) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines, err
}

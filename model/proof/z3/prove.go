package z3

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/model/proof"
	"sharedbarrier/spec"
)

// Prove asks the solver about each condition, for at most limit each, as many
// at a time as there are processors. It calls report with each result, in the
// order of the conditions, and blocks until all are decided or given up.
//
// When ctx ends Prove kills the solver's processes and returns the error of
// ctx. It has then called report for the first conditions only. It also fails
// if a solver's process fails, or if its answer makes no sense.
func (s Solver) Prove(ctx context.Context, conditions []proof.Condition, limit time.Duration, report func(proof.Result)) error {
	ctx, stop := context.WithCancelCause(ctx)
	results := make([]chan proof.Result, len(conditions))
	for i := range results {
		results[i] = make(chan proof.Result, 1)
	}
	next := make(chan int)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer stop(nil)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range next {
				result, err := s.decide(ctx, conditions[i], limit)
				if err != nil {
					stop(err)
					return
				}
				results[i] <- result
			}
		})
	}
	workers.Go(func() {
		defer close(next)
		for i := range conditions {
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	})
	for _, result := range results {
		select {
		case r := <-result:
			report(r)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// decide is Prove for one condition. The verdict is unfinished if the solver
// gives up after limit, or does not and is killed. A counterexample has the
// fewest processes for which the solver finds one.
func (s Solver) decide(ctx context.Context, c proof.Condition, limit time.Duration) (proof.Result, error) {
	began := time.Now()
	result := proof.Result{Version: proof.ResultVersion, Condition: c.Name, Solver: "Z3 " + s.Version}
	patience, stop := context.WithTimeout(ctx, 2*limit+time.Second)
	defer stop()
	talk, err := s.start(patience)
	if err == nil {
		result.Verdict, result.Counterexample, err = talk.decide(c, limit)
		err = errors.Join(err, talk.end())
	}
	result.Seconds = time.Since(began).Seconds()
	switch {
	case err == nil:
		return result, nil
	case ctx.Err() != nil:
		return result, context.Cause(ctx)
	case patience.Err() != nil:
		result.Verdict, result.Counterexample = spec.Unfinished, nil
		return result, nil
	default:
		return result, fmt.Errorf("%s, condition %s: %w", s.Path, c.Name, err)
	}
}

// A dialogue is a z3 process that reads commands and answers them.
type dialogue struct {
	in     io.WriteCloser
	stdout *os.File
	out    *bufio.Reader // of stdout
	ended  chan error    // takes what the process ended with
}

// start starts the process, which is killed when the context ends.
func (s Solver) start(ctx context.Context) (*dialogue, error) {
	cmd := exec.Command(s.Path, "-smt2", "-in")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd.Stdout = theirs
	if err := procgroup.Start(ctx, cmd); err != nil {
		return nil, errors.Join(err, stdout.Close())
	}
	d := &dialogue{in: in, stdout: stdout, out: bufio.NewReader(stdout), ended: make(chan error, 1)}
	go func() {
		defer context.AfterFunc(ctx, func() { cmd.Process.Kill() })()
		d.ended <- procgroup.Wait(cmd)
	}()
	return d, nil
}

// end closes the input, at whose end the process ends, and reads the rest of
// the output.
func (d *dialogue) end() error {
	defer d.stdout.Close()
	d.in.Close()
	io.Copy(io.Discard, d.out)
	return <-d.ended
}

func (d *dialogue) decide(c proof.Condition, limit time.Duration) (spec.Verdict, *proof.Counterexample, error) {
	answer, err := d.ask(fmt.Sprintf("(set-option :timeout %d)\n%s", max(limit.Milliseconds(), 1), c.SMT()))
	switch {
	case err != nil:
		return "", nil, err
	case answer == "unsat":
		return spec.Verified, nil, nil
	case answer == "sat":
		example, err := d.counterexample(c)
		return spec.Violated, example, err
	case answer == "unknown" || answer == "timeout":
		return spec.Unfinished, nil, nil
	default:
		return "", nil, fmt.Errorf("Z3 answers %q", answer)
	}
}

// largest is the number of processes up to which counterexample asks for fewer.
const largest = 8

// counterexample asks for a model with as few processes as possible.
func (d *dialogue) counterexample(c proof.Condition) (*proof.Counterexample, error) {
	for n := 1; ; n++ {
		bound := fmt.Sprintf("(push 1)\n(assert (<= n %d))\n(check-sat)\n", n)
		if n > largest {
			bound = "(push 1)\n(check-sat)\n"
		}
		answer, err := d.ask(bound)
		if err != nil {
			return nil, err
		}
		if answer == "sat" {
			break
		}
		if n > largest {
			return nil, fmt.Errorf("Z3 answers sat and then %q", answer)
		}
		if _, err := io.WriteString(d.in, "(pop 1)\n"); err != nil {
			return nil, err
		}
	}
	state, err := d.state()
	if err != nil {
		return nil, err
	}
	return c.Counterexample(state)
}

// state asks for the values of the model.
func (d *dialogue) state() (proof.State, error) {
	values := make(map[string]int32)
	for _, name := range proof.Symbols() {
		answer, err := d.ask("(get-value (" + name + "))\n")
		if err != nil {
			return proof.State{}, err
		}
		if values[name], err = value(answer, name); err != nil {
			return proof.State{}, err
		}
	}
	return proof.StateOf(values)
}

// value reads an answer to get-value: ((name 7)) or ((name (- 7))).
func value(answer, name string) (int32, error) {
	digits, ok := strings.CutPrefix(answer, "(("+name+" ")
	digits = strings.NewReplacer("(- ", "-", ")", "").Replace(digits)
	v, err := strconv.ParseInt(digits, 10, 32)
	if !ok || err != nil {
		return 0, fmt.Errorf("Z3 answers %q about %s", answer, name)
	}
	return int32(v), nil
}

// ask sends commands, of which the last one has an answer of one line, and
// returns that.
func (d *dialogue) ask(commands string) (string, error) {
	if _, err := io.WriteString(d.in, commands); err != nil {
		return "", err
	}
	line, err := d.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("reading Z3's answer: %w", err)
	}
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "(error") {
		return "", errors.New("Z3 answers " + line)
	}
	return line, nil
}

// Package tlc runs TLC, the model checker of TLA+, on the configurations of
// package tla, and reads what it says into the record that all engines share.
//
//	tools, err := tlc.Find(ctx, nil)
//	config, err := tlc.ReadConfig(tla.Files, "reuse-n3-safety")
//	outcome, err := tlc.Run{Tools: tools, Files: tla.Files, Config: config}.Check(ctx)
//
// It knows the output of TLC 2.18 and 2.19 in -tool mode.
package tlc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// noDeadlock is the invariant that stands for a property that is none of
// states: its violation is a hang.
const noDeadlock = "NoDeadlock"

// module is the root module of the run.
func (r Run) module() string {
	if r.schedule != "" {
		return "Replay"
	}
	return "SharedBarrier"
}

// A Run is one question and how TLC is to answer it. The zero values of the
// options are sensible.
type Run struct {
	Tools  Tools // as Find returns them
	Files  fs.FS // the modules
	Config Config

	Workers     int           // threads of TLC; 0: one, with which the depth is exact
	Memory      string        // largest Java heap, as -Xmx takes it; empty: Java's own choice
	Limit       time.Duration // after this the verdict is unfinished; 0: no limit
	Simulate    int64         // random behaviours to try instead of all states; 0: all states
	Seed        int64         // of the random behaviours: the same one, the same behaviours
	Distributed int           // worker processes of TLC's own server; 0: none
	Small       bool          // it takes seconds at most: start Java fast rather than have it run fast
	Coverage    bool          // count how often each action is taken
	Dump        string        // file to write the state graph to, see ReadGraph; empty: none
	Progress    func(Progress)

	schedule string // the module Schedule, to be replayed; empty: none
}

// An Outcome is what TLC found out.
type Outcome struct {
	model.Result
	Coverage map[string]int64 // states that each action generated, if asked for
	Note     string           // what else there is to say of how it was found; empty: nothing
	Log      []byte           // all that TLC printed
}

// Check runs TLC until it has answered, ctx ends or the limit is reached; Java
// has ended when it returns, and its files are gone. The verdict is
// unfinished when ctx or the limit cut TLC short (then the error is ctx's, or
// nil; there is no trace, for it may be half of one) or when behaviours were
// simulated and nothing was found.
//
// Other errors wrap ErrChecksum, ErrSpec, ErrMemory or ErrTLC; the
// outcome then holds the log and what was found so far.
func (r Run) Check(ctx context.Context) (Outcome, error) {
	out := Outcome{Result: model.Result{
		Version:  model.ResultVersion,
		Scenario: r.Config.Scenario.String(),
		Procs:    r.Config.Procs,
		Rounds:   r.Config.Rounds,
		Verdict:  spec.Unfinished,
	}}
	// Every time, not only when fetched: what runs is what was pinned.
	if err := verifyAny(r.Tools.Jar, releases); err != nil {
		return out, err
	}
	dir, err := r.lay()
	if err != nil {
		return out, err
	}
	defer os.RemoveAll(dir)

	limited := ctx
	if r.Limit > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, r.Limit)
		defer cancel()
	}
	start := time.Now()
	found, log, err := r.run(limited, dir)
	out.Seconds = time.Since(start).Seconds()
	out.Log, out.Coverage, out.Note = log, found.coverage, found.note
	out.Generated, out.Distinct, out.Depth = found.Generated, found.Distinct, found.Depth
	if limited.Err() != nil && !found.finished {
		out.Note = fmt.Sprintf("cut short; by TLC's last report it had generated %d states", out.Generated)
		return out, ctx.Err()
	}
	found.fill(&out.Result, r.Config)
	switch {
	case found.failure != nil:
		return out, found.advise(r)
	case err != nil:
		return out, err
	case out.Verdict == spec.Unfinished && r.Simulate == 0:
		return out, fmt.Errorf("%w: it ended without an answer", ErrTLC)
	case out.Verdict == spec.Unfinished:
		out.Note = fmt.Sprintf("all %d random behaviours tried, %d states generated, and nothing found", r.Simulate, out.Generated)
	}
	return out, nil
}

// lay writes the modules and the configuration into a folder of their own,
// where TLC also leaves its own files.
func (r Run) lay() (dir string, err error) {
	dir, err = os.MkdirTemp("", "sharedbarrier-tlc-")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	modules, err := fs.Glob(r.Files, "*.tla")
	if err != nil {
		return "", err
	}
	for _, name := range modules {
		text, err := fs.ReadFile(r.Files, name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o755); err != nil {
		return "", err
	}
	if r.schedule != "" {
		if err := os.WriteFile(filepath.Join(dir, "Schedule.tla"), []byte(r.schedule), 0o644); err != nil {
			return "", err
		}
	}
	return dir, os.WriteFile(filepath.Join(dir, r.module()+".cfg"), []byte(r.Config.text), 0o644)
}

// run starts what answers the question and reads its output to the end.
func (r Run) run(ctx context.Context, dir string) (found *findings, log []byte, err error) {
	found = &findings{}
	if r.Distributed > 0 {
		log, err = r.distribute(ctx, dir, found)
	} else {
		log, err = r.command(ctx, dir, "tlc2.TLC", r.arguments(dir)).observe(found, r.report)
	}
	return found, log, err
}

func (r Run) report(p Progress) {
	if r.Progress != nil {
		r.Progress(p)
	}
}

// arguments are those of tlc2.TLC.
func (r Run) arguments(dir string) []string {
	args := []string{"-tool", "-nowarning", "-metadir", filepath.Join(dir, "tmp"), "-workers", strconv.Itoa(max(1, r.Workers))}
	if r.Config.Liveness() {
		// Once, at the end: else when it is checked, and so what is found, is a
		// matter of speed.
		args = append(args, "-lncheck", "final")
	}
	if r.Coverage {
		args = append(args, "-coverage", "1")
	}
	if r.Dump != "" {
		args = append(args, "-dump", "dot,actionlabels", r.Dump)
	}
	if r.Simulate > 0 {
		args = append(args, "-simulate", fmt.Sprintf("num=%d", r.Simulate), "-depth", strconv.Itoa(simulatedDepth),
			"-seed", strconv.FormatInt(r.Seed, 10))
	}
	return append(args, r.module())
}

// simulatedDepth bounds a simulated behaviour: about ten rounds of sixteen
// processes, enough to see a round that the last one has damaged.
const simulatedDepth = 4000

// A command is one Java program of TLC, not yet started.
type command struct{ *exec.Cmd }

func (r Run) command(ctx context.Context, dir, class string, args []string, properties ...string) command {
	// Without the second, TLC may live on for ever after the thread that ran out
	// of memory has died.
	jvm := []string{"-Djava.io.tmpdir=" + filepath.Join(dir, "tmp"), "-XX:+ExitOnOutOfMemoryError"}
	if r.Small {
		jvm = append(jvm, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
	} else {
		jvm = append(jvm, "-XX:+UseParallelGC") // what TLC asks for
	}
	if r.Memory != "" {
		jvm = append(jvm, "-Xmx"+r.Memory)
	}
	jvm = append(append(jvm, properties...), "-cp", r.Tools.Jar, class)
	cmd := exec.CommandContext(ctx, r.Tools.Java, append(jvm, args...)...)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	return command{cmd}
}

// observe runs the command to its end and reads what it prints.
func (c command) observe(found *findings, report func(Progress)) (log []byte, err error) {
	var all tee
	pipe, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.Stderr = &all
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTLC, err)
	}
	readErr := found.read(io.TeeReader(pipe, &all), report)
	io.Copy(&all, pipe) // what an unreadable line has left
	err = c.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil // a violation has an exit code too: the messages say what it was
		if !found.answered() && found.failure == nil {
			found.failure = found.explain(all.String())
		}
	}
	return all.Bytes(), errors.Join(readErr, err)
}

// answered reports whether TLC came to a verdict.
func (f *findings) answered() bool { return f.success || f.violated || f.deadlock }

// fill copies the verdict and what refutes it into the record.
func (f *findings) fill(result *model.Result, c Config) {
	switch {
	case f.deadlock, f.refuted == noDeadlock:
		result.Verdict = spec.Hang
	case f.violated:
		result.Verdict = spec.Violated
	case f.success:
		result.Verdict = spec.Verified
	}
	if f.violated || f.deadlock {
		result.Property = f.property(c)
		result.Trace, result.Loop = entries(c, f.behaviour), f.loop
	}
}

// advise says what to do about the failure.
func (f *findings) advise(r Run) error {
	if errors.Is(f.failure, ErrMemory) {
		memory := r.Memory
		if memory == "" {
			memory = "a quarter of this machine's memory"
		}
		return fmt.Errorf("%w with a heap of %s after %d distinct states: give more with --memory, or ask about fewer processes",
			f.failure, memory, f.Distinct)
	}
	return f.failure
}

// Package tlc runs TLC, the model checker of TLA+, on the questions of package
// tla and reads its output into the record that all engines share.
//
//	tools, err := tlc.Find(ctx, nil)
//	questions, err := tlc.ReadQuestions(tla.Files)
//	outcome, err := tlc.Run{Tools: tools, Files: tla.Files, Question: questions[0]}.Check(ctx)
//
// It reads the output of TLC 2.18 and 2.19 in -tool mode.
package tlc

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"sharedbarrier/model"
	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/model/cli/workdir"
	"sharedbarrier/spec"
)

// A Run is a question and how TLC answers it.
type Run struct {
	Tools    Tools // as Find returns them
	Files    fs.FS // the modules
	Question Question

	Workers     int           // threads of TLC; 0: one, with which the depth is exact
	Memory      string        // largest Java heap, as -Xmx takes it; empty: Java's own choice
	Limit       time.Duration // after this the verdict is unfinished; 0: no limit
	Simulate    int64         // random behaviours to try instead of all states; 0: all states
	Seed        int64         // of the random behaviours: the same seed tries the same ones
	Distributed int           // worker processes of TLC's own server; 0: none
	Small       bool          // the question takes seconds: let Java start fast, not run fast
	Dump        string        // file to write the state graph to, see ReadGraph; empty: none
	Progress    func(Progress)

	traces *traces // what TLC reads instead of asking Question; nil: nothing
}

// traces are a module of traces, and the one that reads it.
type traces struct {
	root   string            // the module that TLC runs
	config string            // its configuration
	name   string            // of the module of the traces
	text   string            // of the same
	line   func(line string) // is called with each line that the modules print; nil: nothing is
}

// CheckMemory returns nil if Run.Memory may be the text, the value of --memory.
func CheckMemory(text string) error {
	if text == "" || heap.MatchString(text) {
		return nil
	}
	return fmt.Errorf("--memory %s: give a size as java -Xmx takes it, such as 512m or 4g", text)
}

var heap = regexp.MustCompile(`^[1-9][0-9]*[kKmMgGtT]?$`)

// An Outcome is TLC's answer.
type Outcome struct {
	model.Result
	Note string // how it was found, if not by one run over all states
	Log  []byte // all that TLC printed
}

// Check runs TLC until it has answered, ctx ends or the limit is reached. When
// it returns, Java has ended and its files are removed. The verdict is
// unfinished, without a trace, when the limit or ctx ended TLC (the error is
// nil, or that of ctx), or when it simulated behaviours and found nothing.
//
// Other errors wrap ErrChecksum, ErrSpec, ErrMemory or ErrTLC. The outcome then
// has the log and the figures so far.
func (r Run) Check(ctx context.Context) (Outcome, error) {
	out := Outcome{Result: model.Result{
		Version:  model.ResultVersion,
		Scenario: r.Question.Scenario,
		Procs:    r.Question.Procs,
		Rounds:   r.Question.Rounds,
		Verdict:  spec.Unfinished,
	}}
	// Every time, not only when fetched: what runs is a copy of what was read,
	// and what was read is what was pinned.
	jar, err := readAny(r.Tools.Jar, releases)
	if err != nil {
		return out, err
	}
	work, err := workdir.Make("", "sharedbarrier-tlc-")
	if err != nil {
		return out, needsRoom(err, os.TempDir())
	}
	defer work.Remove()
	dir := work.Path
	if err := r.lay(dir, jar); err != nil {
		return out, needsRoom(err, os.TempDir())
	}

	limited := ctx
	if r.Limit > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, r.Limit)
		defer cancel()
	}
	start := time.Now()
	found, log, err := r.run(limited, dir)
	out.Seconds = time.Since(start).Seconds()
	out.Log, out.Note = log, found.note
	out.Generated, out.Distinct, out.Depth = found.Generated, found.Distinct, found.Depth
	if limited.Err() != nil && !found.finished {
		out.Note = fmt.Sprintf("cut short; by TLC's last report it had generated %d states", out.Generated)
		return out, ctx.Err()
	}
	found.fill(&out.Result, r.Question)
	switch {
	case found.failure != nil:
		return out, found.advise(r, log)
	case err != nil:
		return out, err
	case out.Verdict == spec.Unfinished && r.Simulate == 0:
		return out, fmt.Errorf("%w: it ended without an answer", ErrTLC)
	case out.Verdict == spec.Unfinished:
		out.Note = fmt.Sprintf("all %d random behaviours tried, %d states generated, and nothing found", r.Simulate, out.Generated)
	}
	return out, nil
}

// CheckAll answers a group of questions, as Group returns it, and ignores
// r.Question. One TLC answers all of them. If it refutes one, CheckAll runs a
// TLC for each question, which names the property. The answers have the order
// of the questions. If Check fails, the last answer is the one of that run.
func (r Run) CheckAll(ctx context.Context, group []Question) (answers []Outcome, err error) {
	r.Question = join(group)
	joint, err := r.Check(ctx)
	if err != nil {
		return []Outcome{joint}, err
	}
	if len(group) > 1 && (joint.Verdict == spec.Violated || joint.Verdict == spec.Hang) {
		for _, q := range group {
			alone, err := r.CheckAll(ctx, []Question{q})
			answers = append(answers, alone...)
			if err != nil {
				return answers, err
			}
		}
		return answers, nil
	}
	for range group {
		answers = append(answers, joint)
	}
	return answers, nil
}

// module is the root module of the run.
func (r Run) module() string {
	if r.traces != nil {
		return r.traces.root
	}
	return "MCSharedBarrier"
}

// lay writes the modules, the configuration and the jars into the run's folder,
// where TLC leaves its own files, too. Only this user can write there.
func (r Run) lay(dir string, jar []byte) error {
	if !utf8.ValidString(dir) {
		return fmt.Errorf("no file in %q can be opened by Java: set TMPDIR to a folder whose name is UTF-8", dir)
	}
	files := map[string][]byte{r.module() + ".cfg": []byte(r.Question.Configuration())}
	modules, err := fs.Glob(r.Files, "*.tla")
	if err != nil {
		return err
	}
	for _, name := range modules {
		if files[name], err = fs.ReadFile(r.Files, name); err != nil {
			return err
		}
	}
	if r.traces != nil {
		files[r.traces.root+".cfg"] = []byte(r.traces.config)
		files[r.traces.name+".tla"] = []byte(r.traces.text)
	}
	files[tlcJar] = jar
	if files[loopbackJar], err = jarOf("Loopback.class", loopback); err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
		// Java uses an archive of classes only if the jars have the times that
		// they had when it was made.
		if err := os.Chtimes(path, laid, laid); err != nil {
			return err
		}
	}
	return os.Mkdir(filepath.Join(dir, "tmp"), 0o755)
}

// run starts what answers the question and reads its output to the end.
func (r Run) run(ctx context.Context, dir string) (found *findings, log []byte, err error) {
	found = &findings{}
	if r.traces != nil {
		found.line = r.traces.line
	}
	if r.Distributed > 0 {
		log, err = r.distribute(ctx, dir, found)
	} else {
		log, err = observe(ctx, r.command(dir, "tlc2.TLC", r.arguments(dir)), found, r.report)
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
	if r.Question.Liveness() {
		// Once, at the end: earlier checks happen at times that depend on
		// speed, and so would what is found.
		args = append(args, "-lncheck", "final")
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

// command is a Java program of TLC, not yet started. Its RMI listens on the
// loopback address only: TLC's set of states is an object of RMI, so every TLC
// listens.
func (r Run) command(dir, class string, args []string, properties ...string) *exec.Cmd {
	jvm := []string{
		"-Djava.io.tmpdir=" + filepath.Join(dir, "tmp"),
		"-Duser.language=en", "-Dfile.encoding=UTF-8", // TLC's numbers are read
		"-Djava.rmi.server.hostname=127.0.0.1",
		// Else TLC may live on after the thread that ran out of memory has died.
		"-XX:+ExitOnOutOfMemoryError",
		// Else Java writes to /tmp, and leaves that after kill -9.
		"-XX:-UsePerfData",
	}
	collector := "-XX:+UseParallelGC" // what TLC asks for
	if r.Small {
		collector = "-XX:+UseSerialGC"
		jvm = append(jvm, "-XX:TieredStopAtLevel=1")
	}
	if !choosesCollector(os.Environ()) {
		jvm = append(jvm, collector)
	}
	if r.Memory != "" {
		jvm = append(jvm, "-Xmx"+r.Memory)
	}
	jvm = append(jvm, properties...)
	// Relative to cmd.Dir, since dir may have a separator of paths in its name.
	jvm = append(jvm, "-cp", tlcJar+string(os.PathListSeparator)+loopbackJar, "Loopback", class)
	cmd := exec.Command(r.Tools.Java, append(jvm, args...)...)
	cmd.Dir = dir
	cmd.Env = javaEnvironment(os.Environ())
	return cmd
}

// observe runs the command to its end, or to that of ctx, and reads what it
// prints.
func observe(ctx context.Context, cmd *exec.Cmd, found *findings, report func(Progress)) (log []byte, err error) {
	var all tee
	reader, writer := io.Pipe()
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&all, writer), &all
	read := make(chan error, 1)
	go func() {
		err := found.read(reader, report)
		io.Copy(io.Discard, reader) // what an unreadable line has left
		read <- err
	}()
	wait, err := start(ctx, cmd)
	if err == nil {
		err = wait()
	}
	writer.Close()
	readErr := <-read
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil // a violation has an exit code too: the messages say what it was
		if !found.answered() && found.failure == nil {
			found.failure = found.explain(string(all.Bytes()))
		}
	} else if err != nil {
		err = fmt.Errorf("%w: %w", ErrTLC, err)
	}
	return all.Bytes(), errors.Join(readErr, err)
}

// start starts the command in a process group of its own, which the end of ctx
// kills. The caller must call wait, which blocks until the command has ended.
func start(ctx context.Context, cmd *exec.Cmd) (wait func() error, err error) {
	if err := procgroup.Start(ctx, cmd); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() }) // the rest of the group is Wait's
	return func() error {
		defer stop()
		return procgroup.Wait(cmd)
	}, nil
}

// tee collects what several streams of a program print, a write at a time.
type tee struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (t *tee) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buffer.Write(p)
}

// Bytes returns what was collected so far.
func (t *tee) Bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.buffer.Bytes())
}

// noDeadlock is the invariant whose violation is a hang.
const noDeadlock = "NoDeadlock"

// answered reports whether TLC came to a verdict.
func (f *findings) answered() bool { return f.success || f.violated || f.deadlock }

// fill copies the verdict and what refutes it into the record.
func (f *findings) fill(result *model.Result, q Question) {
	switch {
	case f.deadlock, f.refuted == noDeadlock:
		result.Verdict = spec.Hang
	case f.violated:
		result.Verdict = spec.Violated
	case f.success:
		result.Verdict = spec.Verified
	}
	if f.violated || f.deadlock {
		result.Property = f.property(q)
		result.Trace, result.Loop = traceOf(q, f.behaviour), f.loop
	}
}

// advise says what to do about the failure, whose reason may be in the log only.
func (f *findings) advise(r Run, log []byte) error {
	if errors.Is(f.failure, ErrMemory) {
		return fmt.Errorf("%w with a heap of %s after %d distinct states: give more with --memory, or ask about less",
			f.failure, cmp.Or(r.Memory, "a quarter of this machine's memory"), f.Distinct)
	}
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		// As the system says it in Java's locale.
		if bytes.Contains(bytes.ToLower(log), []byte(full.Error())) {
			return needsRoom(fmt.Errorf("%w: %w", ErrTLC, full), os.TempDir())
		}
	}
	if exception := javaException.Find(log); exception != nil && !strings.Contains(f.failure.Error(), string(exception)) {
		return fmt.Errorf("%w (%s)", f.failure, exception)
	}
	return f.failure
}

// javaException is the line in which Java names an exception.
var javaException = regexp.MustCompile(`(?m)^(Exception in thread "[^"]*" |Caused by: )?(java|tlc2|util|tla2sany)[.][\w.$]*(Exception|Error)\b.*$`)

// needsRoom adds to an error about a full folder what to do.
func needsRoom(err error, folder string) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: make room in %s, or set TMPDIR to a folder that has it", err, folder)
	}
	return err
}

//go:build linux

package report

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/stress/run"
)

// Options say where the result of a command goes: to stdout, and to files.
type Options struct {
	JSON  bool   // stdout has the document as JSON
	Dir   string // directory that keeps the result; empty: none
	JUnit string // path of a JUnit file; empty: none
}

// Flags adds the flags of o.
func (o *Options) Flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.JSON, "json", false, "print the report as one line of JSON (stress/report/report.schema.json)")
	f.StringVar(&o.Dir, "out", "", "`DIR`, new or empty, that keeps report.json, report.html (the same, to look at), log.txt (what was said on stderr, by ports too), recorder.txt (the last steps) and repro.sh (does it again)")
	f.StringVar(&o.JUnit, "junit", "", "write the result as JUnit XML to `FILE`")
}

// The files of a directory that keeps a result.
const (
	reportFile   = "report.json"
	pageFile     = "report.html"
	logFile      = "log.txt"
	recorderFile = "recorder.txt"
	scriptFile   = "repro.sh"
)

// An Output is where the result of a command under way goes.
type Output struct {
	Options
	Stderr *os.File // for the processes of the command; nil: they have that of the command

	cmd    *cobra.Command
	stderr *locked        // of cmd
	made   []string       // the paths of what begin has made
	log    *logbook       // nil: none
	pipe   *os.File       // the other end of Stderr
	copied sync.WaitGroup // until pipe was read to its end
}

// Open prepares the output. It makes the directory, which must be new or empty:
// nothing in it is ever replaced. From then on it has a report of the command
// that is under way, so that a kill leaves something to go by, and the log of
// what the command writes on stderr. begun is a document of Begun.
//
// It fails if the directory is not empty or cannot be written. If it does not
// fail, the caller must call Close or Fail.
func (o Options) Open(cmd *cobra.Command, begun Document) (*Output, error) {
	out := &Output{Options: o, cmd: cmd, stderr: &locked{Writer: cmd.ErrOrStderr()}}
	if o.JUnit != "" {
		if err := CheckFile(o.JUnit); err != nil {
			return nil, fmt.Errorf("--junit: %w", err)
		}
	}
	if o.Dir == "" {
		return out, nil
	}
	if err := out.begin(begun); err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	return out, nil
}

// CheckFile reports why no file can have the path, before the run and not after
// it.
func CheckFile(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a directory; name a file", path)
	}
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no directory", dir)
	}
	return err
}

// begin makes the directory and the files that are there from the start. If it
// fails, it removes what it has made.
func (out *Output) begin(begun Document) (err error) {
	made, err := MakeDir(&out.Dir)
	if err != nil {
		return err
	}
	if made {
		out.made = append(out.made, out.Dir)
	}
	defer func() {
		if err != nil {
			out.undo()
		}
	}()
	if err := out.create(reportFile, 0o666, begun.JSON); err != nil {
		return err
	}
	if err := out.create(pageFile, 0o666, begun.HTML); err != nil {
		return err
	}
	script := func(w io.Writer) error { return writeScript(w, begun.Command) }
	if err := out.create(scriptFile, 0o777, script); err != nil {
		return err
	}
	if out.log, err = openLog(filepath.Join(out.Dir, logFile)); err != nil {
		return err
	}
	out.made = append(out.made, filepath.Join(out.Dir, logFile))
	out.cmd.SetErr(io.MultiWriter(out.stderr, out.log.lines()))
	if out.pipe, out.Stderr, err = os.Pipe(); err != nil {
		return err
	}
	out.copied.Go(func() { out.log.copy(out.pipe, out.stderr) })
	return nil
}

// MakeDir makes the directory that keeps a result, unless it exists and is
// empty, and makes its path absolute: a command may change its working
// directory. It reports whether it has made the directory. It fails if there are
// files.
func MakeDir(dir *string) (made bool, err error) {
	if *dir, err = filepath.Abs(*dir); err != nil {
		return false, err
	}
	switch list, err := os.ReadDir(*dir); {
	case errors.Is(err, fs.ErrNotExist):
		return true, os.MkdirAll(*dir, 0o777)
	case err != nil:
		return false, err
	case len(list) > 0:
		return false, fmt.Errorf("%s has files, such as %s; name a new directory, for nothing is replaced", *dir, list[0].Name())
	}
	return false, nil
}

// locked is a writer for several goroutines.
type locked struct {
	mu sync.Mutex
	io.Writer
}

func (l *locked) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Writer.Write(text)
}

// create makes a file that must not exist.
func (out *Output) create(name string, mode os.FileMode, write func(io.Writer) error) error {
	path := filepath.Join(out.Dir, name)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	out.made = append(out.made, path)
	return errors.Join(write(file), file.Close())
}

// undo removes what begin has made.
func (out *Output) undo() {
	for _, path := range slices.Backward(out.made) {
		os.Remove(path)
	}
}

// Close prints the document, as text or as JSON, and after a failure the
// command that repeats it. Then it writes the files: whatever happens to them,
// the verdict is out. It returns how the command ends: an error if it could not
// print or keep all, a cli.Exit, or nil.
func (out *Output) Close(doc Document, text func(io.Writer) error) error {
	if out.JSON {
		text = doc.JSON
	}
	printed := text(out.cmd.OutOrStdout())
	if doc.Verdict == spec.Violated || doc.Verdict == spec.Hang {
		cli.Reproduce(out.cmd, doc.Command)
	}
	if err := errors.Join(printed, out.keep(doc)); err != nil {
		return err
	}
	if code := doc.ExitCode(); code != spec.ExitOK {
		return cli.Exit(code)
	}
	return nil
}

// Fail keeps the error of a command that came to no result, and returns it.
func (out *Output) Fail(doc Document, err error) error {
	doc = doc.fail(err)
	if out.log != nil {
		fmt.Fprintf(out.log.lines(), "%s: %v\n", out.cmd.Name(), err)
	}
	return errors.Join(err, out.keep(doc))
}

// keep writes the files.
func (out *Output) keep(doc Document) (err error) {
	if out.Dir != "" {
		if err = out.fill(doc); err != nil {
			err = fmt.Errorf("--out: the result is not kept in %s: %w; make room there, or name another directory", out.Dir, err)
		}
	}
	if out.JUnit != "" {
		if failed := cli.WriteFile(out.JUnit, doc.JUnit); failed != nil {
			err = errors.Join(err, fmt.Errorf("--junit: %w", failed))
		}
	}
	return err
}

// fill completes the directory. The report comes last: while it is the one of
// Open, the directory is not complete.
func (out *Output) fill(doc Document) error {
	out.cmd.SetErr(out.stderr)
	out.Stderr.Close()
	out.pipe.SetReadDeadline(time.Now().Add(drain))
	out.copied.Wait()
	if err := out.log.Close(); err != nil {
		return err
	}
	if slices.ContainsFunc(doc.Runs, func(r run.Report) bool { return r.Recording != nil }) {
		if err := out.create(recorderFile, 0o666, doc.recordings); err != nil {
			return err
		}
	}
	if err := cli.WriteFile(filepath.Join(out.Dir, pageFile), doc.HTML); err != nil {
		return err
	}
	return cli.WriteFile(filepath.Join(out.Dir, reportFile), doc.JSON)
}

//go:build linux

package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/stress/run"
)

// JUnit writes the document as JUnit XML: a suite for each run. Of a scenario
// each outcome is a test case, of another run each property that it watches. A
// run that is unfinished is an error, which no reader takes for a success.
func (d Document) JUnit(out io.Writer) error {
	all := junit.Testsuites{Name: "stress"}
	for i, rep := range d.Runs {
		all.AddSuite(d.suite(i, rep))
	}
	all.Skipped = 0 // Surefire's schema has the attribute for a suite only
	if _, err := io.WriteString(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"); err != nil {
		return err
	}
	return all.WriteXML(out)
}

func (d Document) suite(id int, rep run.Report) junit.Testsuite {
	name := "stress"
	if rep.Scenario != "" {
		name += "." + rep.Scenario
	}
	if rep.Control {
		name += ".control"
	}
	e := d.Environment
	s := junit.Testsuite{ID: id, Name: name, Time: fmt.Sprintf("%.3f", rep.Seconds), Timestamp: d.Started.Format("2006-01-02T15:04:05")}
	for _, p := range [][2]string{
		{"command", d.Command}, {"seed", fmt.Sprint(rep.Seed)}, {"processes", fmt.Sprint(rep.Procs)}, {"ports", strings.Join(rep.Ports, ", ")},
		{"machine", fmt.Sprintf("%s %s %s, %d CPUs, %s", e.OS, e.Kernel, e.Arch, e.CPUs, e.Go)},
	} {
		if p[1] != "" {
			s.AddProperty(p[0], cli.Printable(p[1]))
		}
	}
	for _, c := range d.cases(rep) {
		c.Classname = name
		s.AddTestcase(c)
	}
	return s
}

// cases returns the test cases of the run.
func (d Document) cases(rep run.Report) (list []junit.Testcase) {
	for _, o := range d.Outcomes {
		if o.Scenario != rep.Scenario || o.Control != rep.Control {
			continue
		}
		c := junit.Testcase{Name: o.Outcome}
		if !o.Passed {
			c.Failure = d.result(rep, o.Grade, fmt.Sprintf("%s, seen %d times in %d rounds", o.Grade, o.Seen, o.Rounds))
		}
		list = append(list, c)
	}
	if list != nil {
		return list
	}
	for _, p := range []spec.Property{spec.NoEarlyExit, spec.NoHang} {
		c := junit.Testcase{Name: p.String()}
		switch {
		case rep.Verdict == spec.Violated && p == spec.NoEarlyExit, rep.Verdict == spec.Hang && p == spec.NoHang:
			c.Failure = d.result(rep, rep.End, rep.Cause)
		case rep.Verdict == spec.Unfinished:
			c.Error = d.result(rep, rep.End, rep.Cause)
		}
		list = append(list, c)
	}
	return list
}

func (d Document) result(rep run.Report, kind, message string) *junit.Result {
	var b strings.Builder
	rep.Text(&b)
	fmt.Fprintf(&b, "\nreproduce: %s\n", d.Command)
	return &junit.Result{Type: kind, Message: cli.Printable(message), Data: cli.Printable(b.String())}
}

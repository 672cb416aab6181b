//go:build linux

package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/run"
)

// JUnit writes the document as JUnit XML: a suite for each run. Of a scenario
// each outcome is a test case, and the verdict; of another run each property
// that it watches. What is unfinished is an error, which no reader takes for a
// success.
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
	if s := d.scenario(rep); s != nil {
		return d.casesOf(*s, rep)
	}
	for _, p := range spec.AllProperties {
		c := junit.Testcase{Name: p.String()}
		why, failed := fails(rep, p)
		switch {
		case failed:
			c.Failure = d.result(rep, rep.End, why)
		case rep.Verdict == spec.Unfinished:
			c.Error = d.result(rep, rep.End, rep.Cause)
		case rep.Ports != nil && (p == spec.WordsInRange || p == spec.LockExclusive):
			c.Skipped = &junit.Result{Message: "watched at the steps, which not all ports announce"}
		}
		list = append(list, c)
	}
	return list
}

// fails reports whether the property has failed in the run, and why.
func fails(rep run.Report, p spec.Property) (why string, failed bool) {
	if i := slices.IndexFunc(rep.Refuted, func(r oracle.Refutation) bool { return r.Property == p.String() }); i >= 0 {
		return rep.Refuted[i].String(), true
	}
	switch p {
	case spec.NoEarlyExit:
		return seen(rep), rep.Violations > 0
	case spec.NoHang:
		return rep.Cause, rep.Verdict == spec.Hang
	}
	return "", false
}

// scenario returns the result of the scenario that the run was for; nil: it was
// for none.
func (d Document) scenario(rep run.Report) *Scenario {
	i := slices.IndexFunc(d.Scenarios, func(s Scenario) bool { return s.Scenario == rep.Scenario && s.Control == rep.Control })
	if i < 0 {
		return nil
	}
	return &d.Scenarios[i]
}

// casesOf returns a test case for each outcome of the scenario, whose last run
// is rep, and one for the verdict.
func (d Document) casesOf(s Scenario, rep run.Report) (list []junit.Testcase) {
	for _, o := range d.Outcomes {
		if o.Scenario != s.Scenario || o.Control != s.Control {
			continue
		}
		c := junit.Testcase{Name: cli.Printable(o.Outcome)}
		switch result := d.result(rep, o.Grade, fmt.Sprintf("%s, seen %d times in %d rounds", o.Grade, o.Seen, o.Rounds)); {
		case o.Passed:
		case s.Verdict == spec.Unfinished:
			c.Error = result
		default:
			c.Failure = result
		}
		list = append(list, c)
	}
	c := junit.Testcase{Name: "verdict"}
	switch result := d.result(rep, string(s.Verdict), s.Cause); s.Verdict {
	case spec.Passed:
	case spec.Unfinished:
		c.Error = result
	default:
		c.Failure = result
	}
	return append(list, c)
}

func (d Document) result(rep run.Report, kind, message string) *junit.Result {
	var b strings.Builder
	rep.Text(&b)
	fmt.Fprintf(&b, "\nreproduce: %s\n", d.Command)
	return &junit.Result{Type: kind, Message: cli.Printable(message), Data: cli.Printable(b.String())}
}

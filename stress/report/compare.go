//go:build linux

package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"sharedbarrier/spec"
	"sharedbarrier/stress/run"
)

// compareVersion is the version of the JSON form of Comparison, which
// compare.schema.json describes.
const compareVersion = 1

// A Comparison has two documents side by side.
type Comparison struct {
	Version  int           `json:"version"`
	A        Side          `json:"a"`
	B        Side          `json:"b"`
	Warnings []string      `json:"warnings"` // why the two are not comparable
	Runs     []RunPair     `json:"runs"`     // first those of A, in its order
	Outcomes []OutcomePair `json:"outcomes,omitempty"`
}

// A Side is one of the documents.
type Side struct {
	Path        string       `json:"path"`
	Command     string       `json:"command"`
	Verdict     spec.Verdict `json:"verdict"`
	Environment Environment  `json:"environment"`
}

// A RunPair is the same run in both documents, or one that only one has.
type RunPair struct {
	Run      string    `json:"run"`      // the scenario and whether it is the control; empty: the only run
	A        string    `json:"a"`        // how it ended; empty: A has no such run
	B        string    `json:"b"`        // the same of B
	Measures []Measure `json:"measures"` // empty unless both have the run
}

// An OutcomePair is the same row of the outcome tables of both documents.
type OutcomePair struct {
	Scenario string   `json:"scenario"`
	Control  bool     `json:"control"`
	Outcome  string   `json:"outcome"`
	A        *Outcome `json:"a"` // nil: A has no such row
	B        *Outcome `json:"b"`
	Differs  bool     `json:"differs"` // in whether it was seen, or in its grade
}

// Read reads a document: a file, or report.json in a directory of --out. It
// fails if the file is none, or one of another version.
func Read(path string) (Document, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, reportFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Document{}, fmt.Errorf("%w; name a report.json, or a directory of --out", err)
	}
	var head struct {
		Version int
		Command string
	}
	var doc Document
	if err := json.Unmarshal(text, &head); err != nil || head.Version == 0 {
		return Document{}, fmt.Errorf("%s is no report of stress; name a report.json, or a directory of --out", path)
	}
	if head.Version != Version {
		again := ""
		if head.Command != "" {
			again = ": " + head.Command + " --json"
		}
		return Document{}, fmt.Errorf("%s has version %d, and this program compares version %d; make both with one program%s", path, head.Version, Version, again)
	}
	if err := json.Unmarshal(text, &doc); err != nil || len(doc.Runs) == 0 {
		return Document{}, fmt.Errorf("%s is no whole report (%w); make it again", path, errors.Join(err))
	}
	return doc, nil
}

// Compare compares two documents, which were read from the paths.
func Compare(pathA string, a Document, pathB string, b Document) Comparison {
	c := Comparison{
		Version: compareVersion, Warnings: append([]string{}, differences(a, b)...),
		A: Side{pathA, a.Command, a.Verdict, a.Environment}, B: Side{pathB, b.Command, b.Verdict, b.Environment},
	}
	seen := map[string]bool{}
	for _, doc := range []Document{a, b} {
		for i, rep := range doc.Runs {
			name := nameOf(doc, i)
			if seen[name] {
				continue
			}
			seen[name] = true
			inA, inB := find(a, name), find(b, name)
			pair := RunPair{Run: name, A: a.endOf(inA), B: b.endOf(inB), Measures: []Measure{}}
			if inA != nil && inB != nil {
				pair.Measures = measures(*inA, *inB)
				c.Warnings = append(c.Warnings, otherRun(rep, *inB, name)...)
			}
			c.Runs = append(c.Runs, pair)
		}
	}
	c.Outcomes = pairOutcomes(a.Outcomes, b.Outcomes)
	return c
}

// nameOf returns what identifies a run within its document.
func nameOf(doc Document, i int) string {
	rep := doc.Runs[i]
	switch {
	case rep.Scenario != "" && rep.Control:
		return rep.Scenario + " (control)"
	case rep.Scenario != "":
		return rep.Scenario
	case len(doc.Runs) > 1:
		return fmt.Sprint("run ", i+1)
	}
	return ""
}

func find(doc Document, name string) *run.Report {
	for i := range doc.Runs {
		if nameOf(doc, i) == name {
			return &doc.Runs[i]
		}
	}
	return nil
}

// endOf says how a run ended: of a scenario, of whose trials it is the last,
// the verdict of all; empty: there is no such run.
func (d Document) endOf(rep *run.Report) string {
	if rep == nil {
		return ""
	}
	if s := d.scenario(*rep); s != nil {
		return string(s.Verdict)
	}
	text := string(rep.Verdict)
	if rep.End != "" && rep.End != text && rep.Verdict != spec.Passed {
		text += " (" + rep.End + ")"
	}
	return text
}

// differences says in what the machines differ.
func differences(a, b Document) (list []string) {
	x, y := a.Environment, b.Environment
	for _, d := range []struct {
		what string
		a, b any
	}{
		{"CPU count", x.CPUs, y.CPUs}, {"CPU", x.CPU, y.CPU}, {"system", x.OS, y.OS}, {"architecture", x.Arch, y.Arch},
		{"kernel", x.Kernel, y.Kernel}, {"Go version", x.Go, y.Go},
	} {
		if d.a != d.b {
			list = append(list, fmt.Sprintf("not comparable: other %s: %v in A, %v in B", d.what, d.a, d.b))
		}
	}
	for i, doc := range []Document{a, b} {
		name, e := string("AB"[i]), doc.Environment
		if e.Load > float64(e.CPUs) {
			list = append(list, fmt.Sprintf("the machine was busy before %s began: load %.1f on %d CPUs; run it again when it is quiet", name, e.Load, e.CPUs))
		}
		if slices.ContainsFunc(doc.Runs, func(r run.Report) bool { return r.End == underWay }) {
			list = append(list, fmt.Sprintf("%s has not ended, or was killed: it has no measurements", name))
		}
	}
	return list
}

// otherRun says in what the runs differ that they were asked for.
func otherRun(a, b run.Report, name string) (list []string) {
	if name != "" {
		name = " in " + name
	}
	for _, d := range []struct {
		what string
		a, b any
	}{
		{"process counts", a.Procs, b.Procs}, {"ports", ports(a), ports(b)}, {"faults", faults(a), faults(b)}, {"pauses", a.Asked.Pauses, b.Asked.Pauses},
	} {
		if d.a != d.b {
			list = append(list, fmt.Sprintf("the runs were asked for other %s%s: %v in A, %v in B", d.what, name, d.a, d.b))
		}
	}
	return list
}

func ports(r run.Report) string {
	if r.Ports == nil {
		return "none"
	}
	return strings.Join(r.Ports, ", ")
}

func faults(r run.Report) string {
	if r.Faults == nil {
		return "none"
	}
	var list []string
	for _, f := range r.Faults {
		list = append(list, f.Fault)
	}
	return strings.Join(list, ", ")
}

// pairOutcomes returns the rows of both tables, those of a first.
func pairOutcomes(a, b []Outcome) (list []OutcomePair) {
	for _, o := range slices.Concat(a, b) {
		same := func(p OutcomePair) bool {
			return p.Scenario == o.Scenario && p.Control == o.Control && p.Outcome == o.Outcome
		}
		if slices.ContainsFunc(list, same) {
			continue
		}
		p := OutcomePair{Scenario: o.Scenario, Control: o.Control, Outcome: o.Outcome}
		in := func(table []Outcome) *Outcome {
			i := slices.IndexFunc(table, func(other Outcome) bool {
				return other.Scenario == o.Scenario && other.Control == o.Control && other.Outcome == o.Outcome
			})
			if i < 0 {
				return nil
			}
			return &table[i]
		}
		p.A, p.B = in(a), in(b)
		p.Differs = p.A == nil || p.B == nil || p.A.Grade != p.B.Grade || p.A.Passed != p.B.Passed || (p.A.Seen > 0) != (p.B.Seen > 0)
		list = append(list, p)
	}
	return list
}

// JSON writes the comparison as one line.
func (c Comparison) JSON(out io.Writer) error { return json.NewEncoder(out).Encode(c) }

// Text writes the comparison for people.
func (c Comparison) Text(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "A  %s: %s\nB  %s: %s\n", c.A.Path, c.A.Command, c.B.Path, c.B.Command)
	for _, warning := range c.Warnings {
		fmt.Fprintf(&b, "\nWarning: %s.", warning)
	}
	if len(c.Warnings) > 0 {
		b.WriteByte('\n')
	}
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\n\tA\tB\tB/A\t\nverdict\t%s\t%s\t\t\n", c.A.Verdict, c.B.Verdict)
	for _, r := range c.Runs {
		if r.Run != "" {
			fmt.Fprintf(table, "\n%s\t%s\t%s\t\t\n", r.Run, orNone(r.A), orNone(r.B))
		}
		for _, m := range r.Measures {
			if m.A.Median == 0 && m.B.Median == 0 {
				continue
			}
			fmt.Fprintf(table, "%s\t%v\t%v\t%s\t%s\n", m.Name, m.A, m.B, m.ratio(), m.says())
		}
	}
	table.Flush()
	if len(c.Outcomes) > 0 {
		fmt.Fprintf(table, "\noutcome\tA\tB\t\n")
		for _, p := range c.Outcomes {
			differs := ""
			if p.Differs {
				differs = "differs"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", p.name(), p.A.short(), p.B.short(), differs)
		}
		table.Flush()
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func orNone(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func (p OutcomePair) name() string {
	if p.Control {
		return p.Scenario + " (control): " + p.Outcome
	}
	return p.Scenario + ": " + p.Outcome
}

// short describes the row in a few words.
func (o *Outcome) short() string {
	switch {
	case o == nil:
		return "-"
	case o.Seen == 0 && o.Bound > 0:
		return fmt.Sprintf("%s, not seen (< %.2g)", o.Grade, o.Bound)
	case o.Seen == 0:
		return o.Grade + ", not seen"
	}
	return fmt.Sprintf("%s, seen %d times", o.Grade, o.Seen)
}

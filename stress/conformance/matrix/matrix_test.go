//go:build linux

package matrix_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/conformance"
	"sharedbarrier/stress/conformance/matrix"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/run"
)

func TestMain(m *testing.M) {
	registry.ServeGo()
	run.ServeWorker()
	conformance.ServeGated()
	os.Exit(m.Run())
}

// checked returns the report of real checks, few of them: of a port that passes,
// of one that is known to deviate, and of one that is wrong.
func checked(t *testing.T) matrix.Report {
	t.Helper()
	porttest.Need(t, "c", "python")
	r := matrix.Of("go run ./stress conformance --port go --port python --port c@pid-in-lock")
	for _, name := range []string{"go", "python", "c@pid-in-lock"} {
		o := conformance.Options{Port: name, For: time.Second, Stall: 5 * time.Minute, Seed: 1}
		for _, c := range conformance.Checks {
			if !slices.Contains([]string{"tour n=2", "lock open", "lock contents", "lock replaced", "withdrawal"}, c.Name) {
				o.Without = append(o.Without, c.Name)
			}
		}
		results, err := conformance.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		r.Add(o, results)
	}
	return r
}

// written returns what write writes.
func written(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestProc_ReportOfPorts: the report of real checks and its badges fit their
// schemas, and the page comes from the JSON form alone.
func TestProc_ReportOfPorts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	r := checked(t)
	text := written(t, r.JSON)
	schema := golden.Schema(t, "report.schema.json")
	if err := schema.Validate(golden.JSON(t, text)); err != nil {
		t.Error(err)
	}
	for _, wrong := range [][2]string{
		{`"version":1`, `"version":2`}, {`"verdict":"violated"`, `"verdict":"hang"`}, {`"not_asked":"known deviation",`, ``},
		{`"clauses":["PROTOCOL.md, section 4"`, `"clauses":["section 4"`}, {`"started":"`, `"started":"at `}, {`"covered":1040`, `"covered":-1`},
	} {
		bad := strings.Replace(text, wrong[0], wrong[1], 1)
		if bad == text || schema.Validate(golden.JSON(t, bad)) == nil {
			t.Errorf("the schema takes %q in place of %q: %s", wrong[1], wrong[0], text)
		}
	}
	var read matrix.Report
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		t.Fatal(err)
	}
	if page, want := written(t, read.Page), written(t, r.Page); page != want {
		t.Error("the page of the JSON form is another one than that of the report")
	}
	var verdicts []spec.Verdict
	for _, row := range r.Ports {
		verdicts = append(verdicts, row.Verdict)
	}
	if want := []spec.Verdict{spec.Unfinished, spec.Unfinished, spec.Violated}; !slices.Equal(verdicts, want) {
		t.Errorf("verdicts: got %v, want %v", verdicts, want)
	}
}

// row returns a row in which all checks have passed, but for changes.
func row(name string, changes map[string]conformance.Result) matrix.Row {
	var results []conformance.Result
	for _, c := range conformance.Checks {
		result, changed := changes[c.Name]
		if !changed {
			result = conformance.Result{Verdict: spec.Passed, Found: "right"}
		}
		result.Version, result.Port, result.Check, result.Clauses = conformance.Version, name, c.Name, c.Clauses
		results = append(results, result)
		if result.Verdict == spec.Violated {
			break
		}
	}
	var r matrix.Report
	r.Add(conformance.Options{Port: name}, results)
	return r.Ports[0]
}

func notAsked(why conformance.Reason) conformance.Result {
	return conformance.Result{Verdict: spec.Unfinished, NotAsked: why, Found: "so it is"}
}

// TestUnit_Badges: a badge is green only for a port that passes, and is in the
// form that shields.io takes.
func TestUnit_Badges(t *testing.T) {
	schema := golden.Schema(t, "badge.schema.json")
	fits := func(b matrix.Badge) {
		t.Helper()
		if err := schema.Validate(golden.JSON(t, written(t, b.JSON))); err != nil {
			t.Errorf("%+v: %v", b, err)
		}
	}
	right := row("go", nil)
	wrong := row("exec:./x", map[string]conformance.Result{"lock open": {Verdict: spec.Violated, Found: "it creates"}})
	short := right
	short.Results = right.Results[:3]
	lacking := row("rust", map[string]conformance.Result{"withdrawal": notAsked(conformance.NotApplicable)})
	deviating := row("python", map[string]conformance.Result{"lock open": notAsked(conformance.Deviation), "withdrawal": notAsked(conformance.NotApplicable)})
	partly := row("c", map[string]conformance.Result{"stress": notAsked(conformance.LeftOut)})
	unseen := row("c", map[string]conformance.Result{"sections": notAsked(conformance.NotHere)})
	both := row("x", map[string]conformance.Result{"lock open": notAsked(conformance.Deviation), "stress": notAsked(conformance.LeftOut)})
	unfinished := matrix.Report{}
	unfinished.Add(conformance.Options{Port: "go"}, short.Results)
	for _, c := range []struct {
		row  matrix.Row
		want matrix.Badge
	}{
		{right, matrix.Badge{1, "shared barrier: go", "28 of 28 checks", "brightgreen", false}},
		{lacking, matrix.Badge{1, "shared barrier: rust", "27 of 28 checks", "green", false}},
		{deviating, matrix.Badge{1, "shared barrier: python", "26 of 28 checks, 1 known deviation", "yellow", false}},
		{partly, matrix.Badge{1, "shared barrier: c", "27 of 28 checks, unfinished", "lightgrey", false}},
		{unseen, matrix.Badge{1, "shared barrier: c", "27 of 28 checks, unfinished", "lightgrey", false}},
		{both, matrix.Badge{1, "shared barrier: x", "26 of 28 checks, unfinished", "lightgrey", false}},
		{unfinished.Ports[0], matrix.Badge{1, "shared barrier: go", "3 of 28 checks, unfinished", "lightgrey", false}},
		{wrong, matrix.Badge{1, "shared barrier", "fails lock open", "red", true}},
	} {
		if got := c.row.Badge(); got != c.want {
			t.Errorf("badge: got %+v, want %+v", got, c.want)
		}
		fits(c.row.Badge())
	}
	for _, c := range []struct {
		rows []matrix.Row
		want matrix.Badge
	}{
		{[]matrix.Row{lacking}, lacking.Badge()},
		{[]matrix.Row{right, right}, matrix.Badge{1, "shared barrier", "2 of 2 ports pass", "brightgreen", false}},
		{[]matrix.Row{deviating, right, lacking}, matrix.Badge{1, "shared barrier", "3 of 3 ports pass", "yellow", false}},
		{[]matrix.Row{partly, deviating}, matrix.Badge{1, "shared barrier", "1 of 2 ports pass", "lightgrey", false}},
		{[]matrix.Row{wrong, partly}, matrix.Badge{1, "shared barrier", "0 of 2 ports pass", "red", true}},
	} {
		got := matrix.Report{Ports: c.rows}.Badge()
		if got != c.want {
			t.Errorf("badge of all: got %+v, want %+v", got, c.want)
		}
		fits(got)
	}
	for _, bad := range []string{
		`{"schemaVersion":2,"label":"","message":"m","color":"red"}`, `{"schemaVersion":1,"label":"","message":"","color":"red"}`,
		`{"schemaVersion":1,"label":"","message":"m","color":"maroon"}`, `{"schemaVersion":1,"message":"m","color":"red"}`,
		`{"schemaVersion":1,"label":"","message":"m","color":"red","port":"go"}`,
	} {
		if schema.Validate(golden.JSON(t, bad)) == nil {
			t.Errorf("the schema takes %s", bad)
		}
	}
}

// TestUnit_Keep: a directory gets the files, and nothing in it is replaced.
func TestUnit_Keep(t *testing.T) {
	parent := t.TempDir()
	keep := func(dir string, rows ...matrix.Row) error {
		k, err := matrix.Open(dir, "go run ./stress conformance --port x")
		if err != nil {
			return err
		}
		for _, r := range rows {
			k.Add(conformance.Options{Port: r.Port}, r.Results)
		}
		return k.Close()
	}
	names := func(dir string) (list []string) {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			list = append(list, e.Name())
		}
		return list
	}
	for _, c := range []struct {
		rows []matrix.Row
		want []string
	}{
		{[]matrix.Row{row("exec:./my port", nil)}, []string{"badge.json", "matrix.html", "report.json"}},
		{[]matrix.Row{row("c@no-drain", nil), row("exec:./a", nil), row("exec:'./a'", nil)},
			[]string{"badge-c@no-drain.json", "badge-exec-.-a-.json", "badge-exec-.-a.json", "badge.json", "matrix.html", "report.json"}},
		{[]matrix.Row{row("exec:a b", nil), row("exec:a  b", nil)}, []string{"badge-exec-a-b-2.json", "badge-exec-a-b.json", "badge.json", "matrix.html", "report.json"}},
	} {
		dir := filepath.Join(parent, c.want[0]+"/deep")
		if err := keep(dir, c.rows...); err != nil {
			t.Fatal(err)
		}
		if got := names(dir); !slices.Equal(got, c.want) {
			t.Errorf("files of %d ports: got %q, want %q", len(c.rows), got, c.want)
		}
		if err := keep(dir, c.rows...); err == nil || !strings.Contains(err.Error(), "nothing is replaced") {
			t.Errorf("into a directory that has a report: got %v, want an error", err)
		}
	}
	empty := filepath.Join(parent, "empty")
	if err := keep(empty); err != nil || names(parent)[0] == "empty" {
		t.Errorf("without a result: got %v and %q, want no directory", err, names(parent))
	}
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := keep(empty); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(empty); err != nil {
		t.Errorf("a directory of the user: %v, want it to be there", err)
	}
	k, err := matrix.Open(empty, "go run ./stress conformance --port x")
	if err != nil {
		t.Fatal(err)
	}
	k.Add(conformance.Options{Port: "go"}, row("go", nil).Results)
	mine := filepath.Join(empty, "badge.json")
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err == nil {
		t.Error("Close replaces a file that has come meanwhile")
	}
	if text, err := os.ReadFile(mine); string(text) != "mine" {
		t.Errorf("a file that has come meanwhile is %q (%v)", text, err)
	}
}

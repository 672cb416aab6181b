package tla_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/model/cli/clitest"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/spec"
	"sharedbarrier/tla"
	"sharedbarrier/tla/tlc"
)

// TestMain gives the tests a temporary folder of their own, in which no run of
// TLC may leave anything.
func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	base, err := os.MkdirTemp("", "sharedbarrier-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(base)
	temp, classes := filepath.Join(base, "tmp"), filepath.Join(base, "classes")
	if err := errors.Join(os.Mkdir(temp, 0o755), os.Mkdir(classes, 0o755), os.Setenv("TMPDIR", temp)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	archiveClasses(classes)
	code := m.Run()
	if left, err := filepath.Glob(filepath.Join(temp, "*")); len(left) > 0 || err != nil {
		fmt.Printf("FAIL: the tests left %v in TMPDIR, %v; want nothing\n", left, err)
		return 1
	}
	return code
}

// archiveClasses writes TLC's classes to an archive in the folder, with which
// each Java of the tests starts in less time. It does nothing with -short and
// -run, for which that is no gain, without TLC, and where the name of the folder
// cannot stand in the option.
func archiveClasses(dir string) {
	tools, err := tools()
	if err != nil || testing.Short() || flag.Lookup("test.run").Value.String() != "" || strings.ContainsAny(dir, ":'\n") {
		return
	}
	questions, err := readQuestions()
	if err != nil {
		return // the tests fail of it
	}
	archive := filepath.Join(dir, "tlc.jsa")
	given := os.Getenv("JAVA_TOOL_OPTIONS")
	os.Setenv("JAVA_TOOL_OPTIONS", given+" '-XX:ArchiveClassesAtExit="+archive+"'")
	_, err = tlc.Run{Tools: tools, Files: tla.Files, Question: questions[0], Small: true}.Check(context.Background())
	os.Setenv("JAVA_TOOL_OPTIONS", given)
	if _, made := os.Stat(archive); err == nil && made == nil { // no Java before 13 makes one
		os.Setenv("JAVA_TOOL_OPTIONS", given+" '-XX:SharedArchiveFile="+archive+"'")
	}
}

var tools = sync.OnceValues(func() (tlc.Tools, error) { return tlc.Find(context.Background(), nil) })

// findTools skips the test where TLC or Java is missing, and fails it where
// none may be missing.
func findTools(t *testing.T) tlc.Tools {
	t.Helper()
	found, err := tools()
	toolcache.Require(t, err)
	return found
}

// full skips a test that takes a TLC of its own with -short.
func full(t *testing.T) tlc.Tools {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: few questions and one mutant run TLC")
	}
	return findTools(t)
}

// script makes a shell script that stands in for Java.
func script(t *testing.T, text string) (path string) {
	return clitest.Script(t, filepath.Join(t.TempDir(), "java"), text)
}

var readQuestions = sync.OnceValues(func() ([]tlc.Question, error) { return tlc.ReadQuestions(tla.Files) })

// questions returns every question there is.
func questions(t *testing.T) []tlc.Question {
	t.Helper()
	list, err := readQuestions()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// question returns the question of that name.
func question(t *testing.T, name string) tlc.Question {
	t.Helper()
	list := questions(t)
	i := slices.IndexFunc(list, func(q tlc.Question) bool { return q.Name() == name })
	if i < 0 {
		t.Fatalf("no question %s", name)
	}
	return list[i]
}

// about returns a question of no table about the states that the model's config
// has.
func about(cfg model.Config, invariants ...string) tlc.Question {
	return tlc.Question{Scenario: cfg.Scenario.String(), Control: cfg.Control, Procs: cfg.Procs, Rounds: cfg.Rounds,
		Kind: "test", Invariants: invariants, Class: tlc.Short}
}

// An answer is TLC's answer to a group of questions, with the state graph where
// that is compared.
type answer struct {
	group    []tlc.Question
	outcomes []tlc.Outcome
	graph    tlc.Graph
	progress []tlc.Progress
}

// answers has a function for each group that tests have asked, so that each is
// put to TLC once for all tests.
var answers sync.Map // name of the first question to func() (answer, error)

// askGroup puts a group of questions to TLC.
func askGroup(t *testing.T, group []tlc.Question) answer {
	t.Helper()
	run := tlc.Run{Tools: findTools(t), Files: tla.Files, Small: true, Limit: tlc.Short.Limit()}
	once, _ := answers.LoadOrStore(group[0].Name(), sync.OnceValues(func() (a answer, err error) {
		a.group = group
		run.Progress = func(p tlc.Progress) { a.progress = append(a.progress, p) }
		if comparesGraph(group[0]) {
			a.graph, a.outcomes, err = withGraph(run, group)
			return a, err
		}
		a.outcomes, err = run.CheckAll(context.Background(), group)
		return a, err
	}))
	a, err := once.(func() (answer, error))()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// withGraph answers a group of questions and reads the whole state graph.
func withGraph(run tlc.Run, group []tlc.Question) (g tlc.Graph, outcomes []tlc.Outcome, err error) {
	dir, err := os.MkdirTemp("", "sharedbarrier-graph-")
	if err != nil {
		return g, nil, err
	}
	defer os.RemoveAll(dir)
	run.Dump = filepath.Join(dir, "graph.dot")
	if outcomes, err = run.CheckAll(context.Background(), group); err != nil {
		return g, outcomes, err
	}
	if outcomes[0].Verdict != spec.Verified {
		return g, outcomes, fmt.Errorf("%s %s: no whole graph", outcomes[0].Verdict, outcomes[0].Property)
	}
	file, err := os.Open(run.Dump)
	if err != nil {
		return g, outcomes, err
	}
	defer file.Close()
	if g, err = tlc.ReadGraph(file); err == nil && int64(len(g.States)) != outcomes[0].Distinct {
		err = fmt.Errorf("the graph has %d states, and TLC found %d", len(g.States), outcomes[0].Distinct)
	}
	return g, outcomes, err
}

// shortGroups are the groups of the short questions.
func shortGroups(t *testing.T) [][]tlc.Question {
	t.Helper()
	return tlc.Group(slices.DeleteFunc(slices.Clone(questions(t)), func(q tlc.Question) bool { return q.Class != tlc.Short }))
}

// groupOf returns the group of the short question of that name.
func groupOf(t *testing.T, name string) []tlc.Question {
	t.Helper()
	for _, group := range shortGroups(t) {
		if slices.ContainsFunc(group, func(q tlc.Question) bool { return q.Name() == name }) {
			return group
		}
	}
	t.Fatalf("no short question %s", name)
	return nil
}

// name is the model's question as a test's name.
func name(cfg model.Config) string {
	text := fmt.Sprintf("scenario=%v/procs=%d/rounds=%d", cfg.Scenario, cfg.Procs, cfg.Rounds)
	if cfg.Control {
		text += "/control"
	}
	return text
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := fs.ReadFile(tla.Files, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

package tlc

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"sharedbarrier/spec"
)

// FuzzQuestions: what is read as the table of questions has questions that can
// be asked, each with a name of its own.
func FuzzQuestions(f *testing.F) {
	table, err := os.ReadFile("../questions.json")
	if err != nil {
		f.Fatal(err)
	}
	if list, err := readTable(string(table)); err != nil || len(list) == 0 {
		f.Fatalf("the table itself: %d questions, %v", len(list), err)
	}
	// One question, with what explains it.
	const one = `{"version":VERSION,"kinds":{"safety":"k"},"scenarios":{"reuse":{"doc":"d","procs":"p","rounds":"r"}},"questions":[{"scenario":"reuse","kind":"safety","procs":2,"verdict":"verified","invariants":["TypeOK"]}]}`
	small := strings.Replace(one, "VERSION", versionOf(string(table)), 1)
	f.Add(small)
	for _, change := range [][2]string{
		{`"procs":2`, `"procs":-1`}, {`"procs":2`, `"procs":1000000000000`}, {`"procs":2`, `"procs":null`}, {`"questions":[`, `"questions":[null,`}, {`"reuse","kind"`, `"nonsense","kind"`},
		{`"kind":"safety"`, `"kind":"../../x"`}, {`"TypeOK"`, `"\nINVARIANT x"`}, {`"verdict":"verified"`, `"verdict":"what"`}, {`{"scenario"`, `[{"scenario"`}, {`]}`, `]}}`}, {`"kinds":{`, `"kinds":null,"x":{`},
	} {
		f.Add(strings.Replace(small, change[0], change[1], 1))
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := readTable(text)
		if err != nil && list != nil {
			t.Errorf("%q: got %v and %v", text, list, err)
		}
		names := map[string]bool{}
		for _, q := range list {
			_, err := spec.ParseScenario(q.Scenario)
			if err != nil || names[q.Name()] || q.Procs < 1 || q.Rounds < 0 || strings.ContainsAny(q.Name(), "/\\ \n\x00") {
				t.Errorf("%q: got the question %+v, %v", text, q, err)
			}
			names[q.Name()] = true
		}
	})
}

func readTable(text string) ([]Question, error) {
	return ReadQuestions(fstest.MapFS{TableFile: &fstest.MapFile{Data: []byte(text)}})
}

// versionOf returns the version that a table states.
func versionOf(table string) string {
	_, after, _ := strings.Cut(table, `"version"`)
	after = strings.TrimLeft(after, ": ")
	return after[:strings.IndexAny(after, ",\n ")]
}

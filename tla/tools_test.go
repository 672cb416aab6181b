package tla_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/tla"
	"sharedbarrier/tla/tlc"
)

var tools = sync.OnceValues(func() (tlc.Tools, error) { return tlc.Find(context.Background(), nil) })

// findTools skips the test where TLC or Java is missing, and fails it where
// nothing may be missing.
func findTools(t *testing.T) tlc.Tools {
	t.Helper()
	found, err := tools()
	if err != nil && os.Getenv("SHAREDBARRIER_STRICT") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	return found
}

// script makes a shell script, to be run in Java's place.
func script(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "java")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// An answer is what TLC found out, with the state graph where that is compared.
type answer struct {
	tlc.Outcome
	graph tlc.Graph
}

// asked are the questions that have been put to TLC, each once for all tests.
var asked sync.Map // name to func() (answer, error)

// ask puts a question of this folder to TLC. Short ones about the same states that
// have the same answer, that all holds, are put to one TLC together: to start it is
// most of the work. (Which then is refuted, if one is, go run ./tla/check tells.)
func ask(t *testing.T, config tlc.Config) answer {
	t.Helper()
	config = together(t, config)
	run := tlc.Run{Tools: findTools(t), Files: tla.Files, Config: config, Small: true, Limit: tlc.Short.Limit()}
	once, _ := asked.LoadOrStore(config.Name, sync.OnceValues(func() (a answer, err error) {
		if comparesGraph(config) {
			return withGraph(run)
		}
		a.Outcome, err = run.Check(context.Background())
		return a, err
	}))
	a, err := once.(func() (answer, error))()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// together returns one question for all that can be put together with config, or
// config itself.
func together(t *testing.T, config tlc.Config) tlc.Config {
	t.Helper()
	alike := func(c tlc.Config) bool {
		expected := manifest(t).Find(c.Name)
		return c.Scenario == config.Scenario && c.Kept == config.Kept && c.Procs == config.Procs && c.Rounds == config.Rounds &&
			expected.Verdict == spec.Verified && expected.Class == tlc.Short
	}
	if !alike(config) {
		return config
	}
	var names, asks []string
	specification := "Spec"
	for _, c := range configs(t) {
		if !alike(c) {
			continue
		}
		names = append(names, c.Name)
		if len(c.Invariants) > 0 {
			asks = append(asks, "INVARIANTS "+strings.Join(c.Invariants, " "))
		}
		if c.Liveness() {
			asks = append(asks, "PROPERTY "+strings.Join(c.Properties, " "))
			specification = c.Specification
		}
	}
	cfg := model.Config{Scenario: config.Scenario, Procs: config.Procs, Rounds: config.Rounds, Control: config.Kept}
	all := parseConfig(t, cfg, append(asks, "SPECIFICATION "+specification)...)
	all.Name = strings.Join(names, " ")
	return all
}

// name is the model's question as a test's name.
func name(cfg model.Config) string {
	text := fmt.Sprintf("scenario=%v/procs=%d/rounds=%d", cfg.Scenario, cfg.Procs, cfg.Rounds)
	if cfg.Control {
		text += "/control"
	}
	return text
}

// configFor puts a question about the states of the model's question to TLC;
// what it asks is in lines such as "INVARIANTS Quiescent".
func configFor(t *testing.T, cfg model.Config, asks ...string) tlc.Config {
	return parseConfig(t, cfg, append(asks, "SPECIFICATION Spec")...)
}

// livenessConfigFor puts a question about its fair behaviours to TLC.
func livenessConfigFor(t *testing.T, cfg model.Config, property string) tlc.Config {
	return parseConfig(t, cfg, "PROPERTY "+property, "SPECIFICATION LiveSpec")
}

func parseConfig(t *testing.T, cfg model.Config, lines ...string) tlc.Config {
	t.Helper()
	text := fmt.Sprintf("CONSTANTS\n N = %d\n Rounds = %d\n Scenario = %q\n Kept = %s\nCHECK_DEADLOCK FALSE\n%s\n",
		cfg.Procs, cfg.Rounds, cfg.Scenario.String(), strings.ToUpper(fmt.Sprint(cfg.Control)), strings.Join(lines, "\n"))
	config, err := tlc.ParseConfig("test", text)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

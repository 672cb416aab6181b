//go:build linux

package vectors

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/lockstep"
	"sharedbarrier/stress/port/registry"
)

const folder = "../../spec/vectors"

func TestMain(m *testing.M) {
	registry.ServeGo()
	os.Exit(m.Run())
}

// TestGolden_Files: the files are those that the model makes, byte for byte.
func TestGolden_Files(t *testing.T) {
	files, err := All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range files {
		golden.File(t, filepath.Join(folder, name), string(f.Encode()))
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, made := files[e.Name()]; !made {
			t.Errorf("%s/%s is made by nothing: remove it", folder, e.Name())
		}
	}
}

func read(t *testing.T, name string) File {
	t.Helper()
	text, err := os.Open(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	f, err := Decode(text)
	if err != nil {
		t.Fatalf("Decode(%s): %v", name, err)
	}
	return f
}

func names(t *testing.T) (list []string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// TestConform_Model reads every file and goes through it with the model: each
// move is one that the model can make, or one that it says is blocked, with the
// same step, words and holder after it; and the tours take every edge.
func TestConform_Model(t *testing.T) {
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			f := read(t, name)
			sc, err := spec.ParseScenario(f.Scenario)
			if err != nil {
				t.Fatal(err)
			}
			taken := map[int]map[string]bool{} // edges, by number of processes
			for _, s := range f.Schedules {
				cfg := model.Config{Scenario: sc, Procs: s.Procs}
				if model.NeedsBound(cfg) {
					cfg.Rounds = 3 // as many calls as the schedules have
				}
				if taken[s.Procs] == nil {
					taken[s.Procs] = map[string]bool{}
				}
				if err := follow(cfg, f, s, taken[s.Procs]); err != nil {
					t.Fatalf("schedule %q: %v", s.Name, err)
				}
			}
			if sc != spec.Reuse && sc != spec.Withdraw {
				return
			}
			for procs, edges := range taken {
				if g := lockstep.NewGraph(model.Config{Scenario: sc, Procs: procs}); len(edges) != g.Size {
					t.Errorf("%s takes %d edges of %d", name, len(edges), g.Size)
				}
			}
		})
	}
}

// follow goes through the schedule with the model.
func follow(cfg model.Config, f File, s Schedule, taken map[string]bool) error {
	state := model.Init(cfg)
	for i, at := range s.Moves {
		m := f.Moves[at]
		next, blocked, err := apply(cfg, state, m, taken)
		if err != nil {
			return fmt.Errorf("move %d %s: %w", i+1, compact(m), err)
		}
		if blocked && next != state {
			return fmt.Errorf("move %d %s: it is blocked in %v", i+1, compact(m), state)
		}
		if state = next; state.Words() != m.Words || state.Holder() != m.Holder {
			return fmt.Errorf("move %d %s: the model is at %v", i+1, compact(m), state)
		}
		if label, ok := strings.CutPrefix(m.Answer, "at "); ok && state.Step(m.Proc).String() != label {
			return fmt.Errorf("move %d %s: the model is at %v", i+1, compact(m), state)
		}
		if !strings.HasPrefix(m.Answer, "at ") && m.Proc >= 0 && state.Alive(m.Proc) && state.Step(m.Proc) != spec.Call {
			return fmt.Errorf("move %d %s: the model is at %v", i+1, compact(m), state)
		}
	}
	for _, p := range spec.AllProperties {
		shown := model.Violates(cfg, state, p) || p == spec.NoHang && model.Stuck(cfg, state)
		if listed := slices.Contains(s.Shows, p.String()); listed != shown {
			return fmt.Errorf("it shows %v, says the file: %v; the model, at %v: %v", p, listed, state, shown)
		}
	}
	return nil
}

// apply returns the state after the move, and whether the model says that the
// move is blocked.
func apply(cfg model.Config, state model.State, m Move, taken map[string]bool) (next model.State, blocked bool, err error) {
	event := map[string]spec.Event{
		"giveup": spec.GiveUp, "abandon": spec.Abandon, lockstep.Kill: spec.Die, lockstep.Relink: spec.Relink,
	}[m.Request]
	switch {
	case strings.HasPrefix(m.Request, "call "):
		return state, false, nil // with the go that follows it takes Call
	case m.Request != "go" && event == spec.NoEvent:
		return state, false, errors.New("there is no such request")
	}
	for _, a := range model.Enabled(cfg, state) {
		if a.Proc == m.Proc && a.Event == event {
			taken[fmt.Sprint(state, a)] = true
			return model.Apply(cfg, state, a), false, nil
		}
	}
	if event != spec.NoEvent || !state.Inside(m.Proc) {
		return state, false, fmt.Errorf("it is not enabled in %v", state)
	}
	return state, true, nil
}

// goPorts starts go ports; one that is to be in its construction constructs.
func goPorts(t *testing.T, s Schedule) func(int, bool) (lockstep.Party, error) {
	return func(p int, splitRMW bool) (lockstep.Party, error) {
		name := "go"
		if s.Start[p] != spec.Call.String() {
			name = "go@construct"
		}
		return lockstep.StartPort(t.Context(), name, splitRMW)
	}
}

// TestProc_Play plays the vectors with real go ports.
func TestProc_Play(t *testing.T) {
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			f := read(t, name)
			played := 0
			for _, s := range f.Schedules {
				refused, err := f.Play(s, goPorts(t, s))
				switch {
				case errors.Is(err, lockstep.ErrUnable) && slices.Contains(s.Needs, "splitRMW"):
					continue
				case err != nil:
					t.Errorf("Play: %v", err)
				case refused != "":
					t.Logf("schedule %q: %s", s.Name, refused)
				}
				played++
			}
			if played == 0 {
				t.Errorf("none of the schedules was played")
			}
		})
	}
}

// TestProc_PlayTellsWrongVectors: a vector in which one column of one move is
// wrong does not pass.
func TestProc_PlayTellsWrongVectors(t *testing.T) {
	right := read(t, "withdraw-2.json")
	s := right.Schedules[len(right.Schedules)-1]
	s.Moves = s.Moves[:20]
	if _, err := right.Play(s, goPorts(t, s)); err != nil {
		t.Fatalf("Play of 20 moves as they are: %v", err)
	}
	at := s.Moves[len(s.Moves)-1]
	for column, wrong := range map[string]func(*Move){
		"answer": func(m *Move) { m.Answer = "at RaiseFlag" },
		"enter":  func(m *Move) { m.Words.Enter++ },
		"exit":   func(m *Move) { m.Words.Exit++ },
		"flag":   func(m *Move) { m.Words.Flag ^= 1 },
		"holder": func(m *Move) { m.Holder = 1 - max(0, m.Holder) }, // from nobody to p1, and from one to the other
	} {
		f := right
		f.Moves = slices.Clone(right.Moves)
		f.Moves = append(f.Moves, f.Moves[at])
		wrong(&f.Moves[len(f.Moves)-1])
		bad := s
		bad.Moves = append(slices.Clone(s.Moves[:len(s.Moves)-1]), len(f.Moves)-1)
		if _, err := f.Play(bad, goPorts(t, s)); err == nil {
			t.Errorf("Play with another %s in its last move: got no difference, want one", column)
		}
	}
}

// TestConform_TellsWrongShows: a schedule that lists a property too many, or one
// too few, is not what the model says.
func TestConform_TellsWrongShows(t *testing.T) {
	f := read(t, "abandon.json")
	s := f.Schedules[0]
	cfg := model.Config{Scenario: spec.AbandonWait, Procs: s.Procs, Rounds: 3}
	if err := follow(cfg, f, s, map[string]bool{}); err != nil {
		t.Fatalf("the schedule as it is: %v", err)
	}
	all := []string{}
	for _, p := range spec.AllProperties {
		all = append(all, p.String())
	}
	for _, shows := range [][]string{{}, all} {
		s.Shows = shows
		if err := follow(cfg, f, s, map[string]bool{}); err == nil {
			t.Errorf("a schedule that shows %q: got no difference, want one", shows)
		}
	}
}

// playPy runs the runner in Python, which shares nothing with this package but
// PROTOCOL.md, and looks at how it ends. It must leave nothing behind.
func playPy(t *testing.T, code int, want string, args ...string) {
	t.Helper()
	const missing = toolcache.Missing("no Python 3.9 or newer; install one that is called python3")
	python, _, err := toolcache.Ask(t.Context(), missing, "python3", "-c", "import sys; assert sys.version_info >= (3, 9)")
	toolcache.Require(t, err)
	temp := t.TempDir()
	cmd := exec.Command(python, append([]string{"play.py"}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code || !strings.Contains(string(out), want) || strings.Contains(string(out), "Traceback") {
		t.Errorf("play.py %q: got exit code %d and %q, want %d and %q in it", args, got, out, code, want)
	}
	// The segment goes before the folder does.
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("play.py %q leaves %v (%v) behind", args, left, err)
	}
}

// TestProc_PlayWithoutGo plays the files with the runner in Python, but for the
// longest, which takes as long as all others and is played in TestProc_Play. Of a
// wrong vector it says so.
func TestProc_PlayWithoutGo(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	play := func(path, name string, code int, want string) {
		port, err := registry.Command(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		playPy(t, code, want, slices.Concat([]string{path, self}, port.Args[1:])...)
	}
	for _, file := range names(t) {
		name, want := "go", " 0 were left out"
		switch file {
		case "withdraw-3.json":
			continue
		case "late-construction.json":
			name = "go@construct"
		case "split-lock.json": // what is splitRMW is not for package impl
			want = "2 schedules went as they should, 0 ended in a refusal, 4 were left out"
		case "growing.json":
			want = "0 schedules went as they should, 5 ended in a refusal, 0 were left out"
		}
		play(filepath.Join(folder, file), name, 0, want)
	}
	wrong := read(t, "withdraw-2.json")
	wrong.Moves[wrong.Schedules[2].Moves[3]].Words.Enter++
	path := filepath.Join(t.TempDir(), "wrong.json")
	if err := os.WriteFile(path, wrong.Encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	play(path, "go", 1, "the words are")
}

// TestHazard_PlayMisbehaving: whatever a port does, the runner in Python says
// what, and ends, and so does the port. The first behaves as far as it goes.
func TestHazard_PlayMisbehaving(t *testing.T) {
	vectors := filepath.Join(folder, "reuse-2.json")
	notVectors := filepath.Join(t.TempDir(), "not-vectors.json")
	if err := os.WriteFile(notVectors, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	const patient, short = "30", "0.5" // short: for what never comes
	const hello, mode, opened = "echo port 1 white; ", "read -r r; echo ok; ", "read -r r; echo opened; "
	for _, c := range []struct {
		name, limit, file, command string
		code                       int
		want                       string
	}{
		{"dies in a call", patient, vectors, hello + mode + opened + "read -r r", 1, "the port has ended"},
		{"offers nothing", patient, vectors, "echo port 1; read -r r", 75, "9 were left out"},
		{"says nothing", short, vectors, "sleep 1000", 1, "no answer for 0.5 s"},
		{"hangs in a call", short, vectors, hello + mode + opened + "sleep 1000", 1, "no answer for 0.5 s"},
		{"says half a line", short, vectors, hello + "printf ok; sleep 1000", 1, "no answer for 0.5 s"},
		{"says no end of it", patient, vectors, "yes | tr -d '\\n'", 1, "longer than 4096 bytes"},
		{"nonsense hello", patient, vectors, "echo hello; sleep 1000", 1, "says 'hello' first"},
		{"hello in bytes", patient, vectors, `printf '\377\376\n'; sleep 1000`, 1, "first"},
		{"two lines", patient, vectors, hello + `read -r r; printf 'ok\nok\n'; sleep 1000`, 1, "to white"},
		{"refuses the mode", patient, vectors, hello + "read -r r; echo error no; sleep 1000", 1, "to white"},
		{"no such file", patient, "no-such-file", "", 2, "no-such-file: No such file"},
		{"no vectors", patient, notVectors, "", 2, "no file of vectors"},
	} {
		t.Run(c.name, func(t *testing.T) {
			pids := filepath.Join(t.TempDir(), "pids")
			playPy(t, c.code, c.want, "--limit", c.limit, c.file, "sh", "-c", "echo $$ >>'"+pids+"'; "+c.command)
			started, _ := os.ReadFile(pids)
			for _, pid := range strings.Fields(string(started)) {
				if _, err := os.Stat("/proc/" + pid); err == nil {
					t.Errorf("the port %s is still there", pid)
				}
			}
		})
	}
	playPy(t, 2, "no-such-command: No such file", vectors, "no-such-command")
	playPy(t, 2, "usage:", vectors)
}

// TestDecode_Refuses what is no file of vectors.
func TestDecode_Refuses(t *testing.T) {
	for _, text := range []string{
		``,
		`{"version":1}`,
		`{"version":2,"moves":[[0,"go"]]}`,
		`{"version":2,"moves":[],"schedules":[{"procs":1,"moves":[0]}]}`,
		`{"version":2,"moves":[[1,"go","at Call",0,-1,1,-1]],"schedules":[{"procs":1,"moves":[0]}]}`,
	} {
		if _, err := Decode(strings.NewReader(text)); err == nil {
			t.Errorf("Decode(%s): got no error, want one", text)
		}
	}
}

//go:build linux

package vectors

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/model/explore"
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

// TestGolden_Files: the files are those that the model makes.
func TestGolden_Files(t *testing.T) {
	files, err := All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range files {
		golden.File(t, filepath.Join(folder, name), string(f.Encode()))
	}
	for _, name := range names(t) {
		if _, made := files[name]; !made {
			t.Errorf("%s/%s comes from no scenario: remove it", folder, name)
		}
	}
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (m *Move) UnmarshalJSON(text []byte) error {
	fields := []any{&m.Proc, &m.Request, &m.Answer, &m.Words.Enter, &m.Words.Exit, &m.Words.Flag, &m.Holder}
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	if len(fields) != len(columns) {
		return fmt.Errorf("vectors: a move of %d columns, want %v", len(fields), columns)
	}
	return nil
}

func read(t *testing.T, name string) (f File) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
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

// TestConform_Model follows every file with the model: each move is enabled or
// blocked there, with the same step, words and holder after it. The tours take
// every edge.
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
				g := explore.NewGraph(model.NewMachine(model.Config{Scenario: sc, Procs: procs}))
				if all := len(slices.Concat(g.Edges...)); len(edges) != all {
					t.Errorf("%s takes %d edges of %d", name, len(edges), all)
				}
			}
		})
	}
}

// follow makes the moves of the schedule in the model.
func follow(cfg model.Config, f File, s Schedule, taken map[string]bool) error {
	state := model.Init(cfg)
	for i, at := range s.Moves {
		m := f.Moves[at]
		next, err := apply(cfg, state, m, taken)
		if err != nil {
			return fmt.Errorf("move %d %s: %w", i+1, compact(m), err)
		}
		state = next
		right := state.Words() == m.Words && state.Holder() == m.Holder
		if label, ok := strings.CutPrefix(m.Answer, "at "); ok {
			right = right && state.Step(m.Proc).String() == label
		} else if m.Proc >= 0 && state.Alive(m.Proc) {
			right = right && state.Step(m.Proc) == spec.Call
		}
		if !right {
			return fmt.Errorf("move %d %s: the model is at %v", i+1, compact(m), state)
		}
	}
	for _, p := range spec.AllProperties {
		shown := model.Violates(cfg, state, p) || p == spec.NoHang && model.Stuck(cfg, state)
		if listed := slices.Contains(s.Shows, p.String()); listed != shown {
			return fmt.Errorf("it shows %v: %v in the file, %v in the model at %v", p, listed, shown, state)
		}
	}
	return nil
}

// apply returns the state after the move, which is enabled or blocked.
func apply(cfg model.Config, state model.State, m Move, taken map[string]bool) (model.State, error) {
	event, known := map[string]spec.Event{
		"go": spec.NoEvent, "giveup": spec.GiveUp, "abandon": spec.Abandon, lockstep.Kill: spec.Die, lockstep.Relink: spec.Relink,
	}[m.Request]
	if strings.HasPrefix(m.Request, "call ") {
		return state, nil // the go after it takes Call
	}
	for _, a := range model.Enabled(cfg, state) {
		if known && a.Proc == m.Proc && a.Event == event {
			taken[fmt.Sprint(state, a)] = true
			return model.Apply(cfg, state, a), nil
		}
	}
	if m.Request != "go" || !state.Inside(m.Proc) {
		return state, fmt.Errorf("it is not enabled in %v", state)
	}
	return state, nil
}

// TestHazard_WrongShows: follow refuses a schedule that lists a property too
// many or too few.
func TestHazard_WrongShows(t *testing.T) {
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

// TestHazard_WrongMoves: follow refuses a move of which one column is wrong, or
// that is not enabled. The move is the first by which p0 takes the lock.
func TestHazard_WrongMoves(t *testing.T) {
	cfg := model.Config{Scenario: spec.Reuse, Procs: 2}
	for name, spoil := range map[string]func(*Move){
		"nothing":    func(*Move) {},
		"answer":     func(m *Move) { m.Answer = "at UnlockInit" },
		"no step":    func(m *Move) { m.Answer = "returned" },
		"enter":      func(m *Move) { m.Words.Enter++ },
		"exit":       func(m *Move) { m.Words.Exit++ },
		"flag":       func(m *Move) { m.Words.Flag ^= 1 },
		"holder":     func(m *Move) { m.Holder = 1 },
		"no holder":  func(m *Move) { m.Holder = -1 },
		"outside":    func(m *Move) { m.Proc = 1 },
		"no request": func(m *Move) { m.Request = "giveup" },
	} {
		moves := []Move{
			{0, "call 2", "at Call", spec.Initial, -1},
			{0, "go", "at LockInit", spec.Initial, -1},
			{0, "go", "at InitExit", spec.Initial, 0},
		}
		spoil(&moves[2])
		err := follow(cfg, File{Moves: moves}, Schedule{Moves: []int{0, 1, 2}}, map[string]bool{})
		if (err == nil) != (name == "nothing") {
			t.Errorf("a move with a wrong column (%s): follow: got %v", name, err)
		}
	}
}

var findPython = sync.OnceValues(func() (path string, err error) {
	const missing = toolcache.Missing("no Python 3.9 or newer; install one that is called python3")
	path, _, err = toolcache.Ask(context.Background(), missing, "python3", "-c", "import sys; assert sys.version_info >= (3, 9)")
	return path, err
})

// play runs play.py, which shares nothing with this package but PORTS.md, and
// looks at how it ends. It must leave nothing behind.
func play(t *testing.T, code int, want string, args ...string) {
	t.Helper()
	python, err := findPython()
	toolcache.Require(t, err)
	temp := t.TempDir()
	cmd := exec.Command(python, append([]string{"play.py"}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code || !strings.Contains(string(out), want) || strings.Contains(string(out), "Traceback") {
		t.Errorf("play.py %q: got exit code %d and %q, want %d and %q in it", args, got, out, code, want)
	}
	// The segment goes before the directory does.
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("play.py %q leaves %v (%v) behind", args, left, err)
	}
}

// playGo plays the file at path with the port, a variant of go.
func playGo(t *testing.T, path, name string, code int, want string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	port, err := registry.Command(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	play(t, code, want, slices.Concat([]string{path, self}, port.Args[1:])...)
}

// TestProc_Play plays every file with the go port; with -short, three of them.
func TestProc_Play(t *testing.T) {
	for _, file := range names(t) {
		t.Run(file, func(t *testing.T) {
			port, want, short := "go", " 0 were left out", false
			switch file {
			case "reuse-2.json":
				short = true
			case "late-construction.json":
				port = "go@construct"
			case "split-lock.json": // package impl has no splitRMW mode
				want, short = "2 schedules went as they should, 0 ended in a refusal, 4 were left out", true
			case "growing.json":
				want, short = "0 schedules went as they should, 5 ended in a refusal, 0 were left out", true
			}
			if testing.Short() && !short {
				t.Skip("a long file")
			}
			t.Parallel()
			playGo(t, filepath.Join(folder, file), port, 0, want)
		})
	}
}

// TestHazard_WrongVectors: a file in which one column of one move is wrong does
// not pass.
func TestHazard_WrongVectors(t *testing.T) {
	for _, c := range []struct {
		column, want string
		spoil        func(*Move)
	}{
		{"nothing", "1 schedules went as they should", func(*Move) {}},
		{"answer", "the answer is", func(m *Move) { m.Answer = "at RaiseFlag" }},
		{"enter", "the words are", func(m *Move) { m.Words.Enter++ }},
		{"exit", "the words are", func(m *Move) { m.Words.Exit++ }},
		{"flag", "the words are", func(m *Move) { m.Words.Flag ^= 1 }},
		{"holder", "the lock is", func(m *Move) {
			if m.Holder++; m.Holder > 0 {
				m.Holder = -1
			}
		}},
	} {
		t.Run(c.column, func(t *testing.T) {
			f := read(t, "withdraw-2.json")
			s := f.Schedules[len(f.Schedules)-1]
			s.Moves = s.Moves[:20]
			f.Schedules = []Schedule{s}
			last := f.Moves[s.Moves[19]]
			c.spoil(&last)
			f.Moves, s.Moves[19] = append(f.Moves, last), len(f.Moves)
			path := filepath.Join(t.TempDir(), "vectors.json")
			if err := os.WriteFile(path, f.Encode(), 0o600); err != nil {
				t.Fatal(err)
			}
			code := 1
			if c.column == "nothing" {
				code = 0
			}
			playGo(t, path, "go", code, c.want)
		})
	}
}

// TestHazard_PlayMisbehaving: play.py says what a port does wrong and ends, and
// so does the port. The first port behaves until it ends.
func TestHazard_PlayMisbehaving(t *testing.T) {
	vectors := filepath.Join(folder, "reuse-2.json")
	notVectors := filepath.Join(t.TempDir(), "not-vectors.json")
	if err := os.WriteFile(notVectors, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	const patient, short = "30", "0.5" // short: no answer comes
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
		{"opens wrongly", patient, vectors, hello + mode + "read -r r; echo closed; sleep 1000", 1, "answers 'closed' to open"},
		{"errs without a reason", patient, vectors, hello + mode + opened + "read -r c; echo at Call; read -r r; echo at LockInit; read -r r; echo error no; read -r r", 1, "the answer is 'error no'"},
		{"no such file", patient, "no-such-file", "", 2, "no-such-file: No such file"},
		{"no vectors", patient, notVectors, "", 2, "no file of vectors: it has no version"},
		{"removes the segment", patient, vectors, hello + mode + `read -r o name path; echo opened; read -r c; rm "/dev/shm/$name"; echo at Call; read -r r`, 1, "the segment: No such file"},
		{"truncates the segment", patient, vectors, hello + mode + `read -r o name path; echo opened; read -r c; : >"/dev/shm/$name"; echo at Call; read -r r`, 1, "not of 12 bytes"},
		{"replaces the lock file", patient, vectors, hello + mode + `read -r o name path; echo opened; read -r c; rm -f "$path"; mkdir "$path"; echo at Call; read -r r`, 1, "the lock file: Is a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pids := filepath.Join(t.TempDir(), "pids")
			play(t, c.code, c.want, "--limit", c.limit, c.file, "sh", "-c", "echo $$ >>'"+pids+"'; "+c.command)
			started, _ := os.ReadFile(pids)
			for _, pid := range strings.Fields(string(started)) {
				if _, err := os.Stat("/proc/" + pid); err == nil {
					t.Errorf("the port %s is still there", pid)
				}
			}
		})
	}
	play(t, 2, "no-such-command: No such file", vectors, "no-such-command")
	play(t, 2, "usage:", vectors)
	play(t, 2, "--limit is nan", "--limit", "nan", vectors, "true")
}

// TestHazard_PlayRefusal: play.py takes an error for right only at a step, and
// with words, at which a port may refuse them.
func TestHazard_PlayRefusal(t *testing.T) {
	python, err := findPython()
	toolcache.Require(t, err)
	const script = `
import play
port = play.Port.__new__(play.Port)
port.parties = 2
steps = ["", "opened", "at Call", "at LockInit", "at InitExit", "at TestFirst", "at CountEnter", "at AwaitFlag"]
for port.at in steps:
    for words, wrong in [((0, -1, 1), False), ((2, 2, 0), False), ((-1, 0, 1), True), ((3, 0, 1), True),
                         ((0, -2, 1), True), ((0, 3, 1), True), ((0, 0, 2), True), ((0, 0, -1), True)]:
        want = wrong and port.at in ("at InitExit", "at TestFirst")
        assert port.may_refuse(words) == want, (port.at, words, want)
`
	cmd := exec.Command(python, "-B", "-c", script)
	cmd.Env = append(os.Environ(), "PYTHONPATH=.")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("may_refuse: %v\n%s", err, out)
	}
}

// TestProc_PlayIsInterrupted: a signal ends play.py, its port and its files.
func TestProc_PlayIsInterrupted(t *testing.T) {
	python, err := findPython()
	toolcache.Require(t, err)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		signal.Notify(make(chan os.Signal, 1), s) // play.py must not ignore it because the test does, after nohup or &
		defer signal.Reset(s)
		temp := t.TempDir()
		cmd := exec.Command(python, "play.py", filepath.Join(folder, "reuse-2.json"),
			"sh", "-c", `echo port 1 white; read -r r; echo ok; read -r open name path; echo "$name" >&2; exec sleep 1000`)
		cmd.Env = append(os.Environ(), "TMPDIR="+temp)
		stderr, err := cmd.StderrPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stderr)
		lines.Scan()
		segment := "/dev/shm/" + lines.Text()
		if _, err := os.Stat(segment); err != nil {
			t.Errorf("while the port opens: %v", err)
		}
		cmd.Process.Signal(s)
		more := lines.Scan() // ends with the port
		cmd.Wait()
		left, _ := os.ReadDir(temp)
		if _, err := os.Stat(segment); cmd.ProcessState.ExitCode() != 130 || more || len(left) > 0 || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: got exit code %d, stderr %q, left %v, segment: %v; want 130 and nothing", s, cmd.ProcessState.ExitCode(), lines.Text(), left, err)
		}
	}
}

// TestHazard_BadFiles spoils each value of a file of vectors in several ways.
// play.py refuses it in one line, or can play it: it raises nothing else.
func TestHazard_BadFiles(t *testing.T) {
	python, err := findPython()
	toolcache.Require(t, err)
	// With a port that says what play.py wants to hear first.
	const spoil = `
import copy, json, sys
import play
class Port(play.Port):
    def __init__(self, command, limit):
        self.late = self.ahead = False
        self.parties, self.at = 0, ""
    def greet(self):
        self.capabilities = ["white", "withdraw", "abandon", "splitRMW"]
    def ask(self, request):
        return {"white": "ok", "splitRMW": "ok", "open": "opened"}.get(request.split(" ")[0], "at Call")
    def kill(self):
        pass
play.Port = Port
file = json.load(open(sys.argv[1]))
file["schedules"] = file["schedules"][:1]
def places(value, path=()):
    for key in value if isinstance(value, dict) else range(min(len(value), 3)) if isinstance(value, list) else ():
        yield path + (key,)
        yield from places(value[key], path + (key,))
texts = ["", "null", "[]", "{", "[" * 100000, "9" * 10000, '{"version":2}', '{"version":2.0}', "\0", '"\\ud800"']
for *path, last in places(file):
    for value in (None, True, -1, 2**40, 1.5, "", "\x1b[2J", [], {}, ["x"], [None], [1, 2, 3, 4, 5, 6, 7], "gone"):
        spoilt = copy.deepcopy(file)
        inner = spoilt
        for key in path:
            inner = inner[key]
        if value == "gone":
            del inner[last]
        else:
            inner[last] = value
        texts.append(json.dumps(spoilt))
refused = played = 0
for text in texts:
    open(sys.argv[2], "w").write(text)
    try:
        play.play(sys.argv[2], ["port"], 1)
        played += 1
    except play.Unusable as unusable:
        assert "\n" not in str(unusable) and "\x1b" not in str(unusable), unusable
        refused += 1
    except BaseException as error:
        print(type(error), error, text[:1000])
        raise
print(refused, played, file=sys.stderr)
sys.exit(refused < 100 or played < 10)
`
	for _, name := range []string{"abandon.json", "late-construction.json"} {
		cmd := exec.Command(python, "-B", "-c", spoil, filepath.Join(folder, name), filepath.Join(t.TempDir(), "spoilt"))
		cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir(), "PYTHONPATH=.")
		var counts strings.Builder
		cmd.Stderr = &counts
		if out, err := cmd.Output(); err != nil {
			t.Errorf("%s: %v\n%s\n%s", name, err, out, counts.String())
		}
		t.Logf("%s: refused and played: %s", name, counts.String())
	}
}

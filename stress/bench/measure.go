//go:build linux

package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/stress/run"
	"sharedbarrier/stress/scratch"
)

// A Sample is one measurement.
type Sample struct {
	Rounds    int64   `json:"rounds"`
	Latency   float64 `json:"latency"`   // microseconds a round
	CPU       float64 `json:"cpu"`       // microseconds of a processor, a round and party
	Voluntary float64 `json:"voluntary"` // context switches of a party that waits, a round and party
	Forced    float64 `json:"forced"`    // context switches of a party that runs, a round and party
}

var (
	// ErrEarly means that a contender is no barrier.
	ErrEarly = errors.New("an early exit: a party has returned from a round that another one had not begun")
	// ErrStalled means that no party has made progress.
	ErrStalled = errors.New("no progress")
	// ErrBroken means that a party has failed or has not reported.
	ErrBroken = errors.New("the parties have not made their calls")
)

// memory is where the files of a measurement are, since the speed of a disk is
// not to be measured.
const memory = "/dev/shm"

// look is the time between two looks at a measurement.
const look = 100 * time.Millisecond

// warmUp is the part of Config.For that passes before the measured section.
const warmUp = 4

// measure makes one measurement.
func (c Config) measure(ctx context.Context, p prepared, s Setting, cpus []int) (_ Sample, err error) {
	files, err := scratch.Make(memory, "bench")
	if err != nil {
		return Sample{}, err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	m := match{
		parties: s.Parties, processors: s.Processors, dir: files.Dir, board: filepath.Join(files.Dir, "board"),
		segment: files.Segment, lock: filepath.Join(files.Dir, "lock"),
	}
	board, err := makeBoard(m.board, s.Parties)
	if err != nil {
		return Sample{}, err
	}
	defer board.close()
	board.word(wordWarmUp).Store(int64(c.For / warmUp))
	board.word(wordFor).Store(int64(c.For))

	x := execution{board: board, stall: c.Stall, ended: make(chan *exec.Cmd, s.Parties)}
	if x.stderr, err = os.Create(filepath.Join(files.Dir, "stderr")); err != nil {
		return Sample{}, err
	}
	defer x.stderr.Close()
	defer x.kill()
	if s.Busy {
		busy := pinned(run.Busy(), cpus)
		if err := procgroup.Start(ctx, busy); err != nil {
			return Sample{}, fmt.Errorf("start a busy process: %w", err)
		}
		defer procgroup.Wait(busy)
		defer busy.Process.Kill()
	}
	if err = x.start(ctx, p.launch(m), cpus); err == nil {
		err = x.await(ctx)
	}
	if err != nil {
		return Sample{}, fmt.Errorf("contender %s with %d parties on %s: %w", p.Name, s.Parties, s.Where(), err)
	}
	return board.sample()
}

// An execution is a measurement under way.
type execution struct {
	board   board
	stall   time.Duration
	stderr  *os.File // of all parties
	running []*exec.Cmd
	ended   chan *exec.Cmd // receives each command once, when it has ended
}

// pinned has a command run on the processors.
func pinned(cmd *exec.Cmd, cpus []int) *exec.Cmd {
	list := strings.Trim(strings.ReplaceAll(fmt.Sprint(cpus), " ", ","), "[]")
	wrapper := exec.Command("/proc/self/exe", append([]string{pinCommand, list, cmd.Path}, cmd.Args[1:]...)...)
	wrapper.Env = cmd.Env
	return wrapper
}

func (x *execution) start(ctx context.Context, commands []*exec.Cmd, cpus []int) error {
	for _, cmd := range commands {
		cmd = pinned(cmd, cpus)
		cmd.Stdout, cmd.Stderr = x.stderr, x.stderr
		if err := procgroup.Start(ctx, cmd); err != nil {
			return fmt.Errorf("start a party: %w", err)
		}
		x.running = append(x.running, cmd)
		go func() {
			procgroup.Wait(cmd) // the error says no more than cmd.ProcessState
			x.ended <- cmd
		}()
	}
	return nil
}

// kill ends what runs and waits until it is gone.
func (x *execution) kill() {
	for _, cmd := range x.running {
		cmd.Process.Kill()
	}
	for range x.running {
		<-x.ended
	}
	x.running = nil
}

// await waits until all parties have made their calls.
func (x *execution) await(ctx context.Context) error {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	seen, at := x.board.progress(), time.Now()
	for len(x.running) > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case cmd := <-x.ended:
			x.remove(cmd)
			if !cmd.ProcessState.Success() {
				return x.failure(cmd)
			}
		case <-ticker.C:
			if err := x.board.early(); err != nil {
				return err
			}
			switch now := x.board.progress(); {
			case now != seen:
				seen, at = now, time.Now()
			case time.Since(at) > x.patience():
				return fmt.Errorf("%w for %v, after %d rounds: this barrier hangs, or the machine is too busy for it; give fewer parties or a longer --stall", ErrStalled, x.patience(), x.board.of(0, wordBegun).Load())
			}
		}
	}
	return x.board.early()
}

// patience is how long the parties may take to make progress. They may take ten
// times as long to start: that says nothing about the barrier.
func (x *execution) patience() time.Duration {
	for party := range x.board.parties() {
		if x.board.of(party, wordReady).Load() == 0 {
			return 10 * x.stall
		}
	}
	return x.stall
}

func (x *execution) remove(cmd *exec.Cmd) {
	for i, other := range x.running {
		if other == cmd {
			x.running = append(x.running[:i], x.running[i+1:]...)
			return
		}
	}
}

// failure says why a party has ended: an early exit, or what it has printed.
func (x *execution) failure(cmd *exec.Cmd) error {
	if err := x.board.early(); err != nil {
		return err
	}
	said, _ := os.ReadFile(x.stderr.Name())
	return fmt.Errorf("%w: one has ended: %v: %s", ErrBroken, cmd.ProcessState, toolcache.LastLine(bytes.ToValidUTF8(said, []byte("?"))))
}

// progress returns a number that grows while a party opens the barrier or
// calls.
func (b board) progress() (sum int64) {
	for party := range b.parties() {
		sum += b.of(party, wordReady).Load() + b.of(party, wordBegun).Load()
	}
	return sum
}

// early returns an error if a party has reported an early exit.
func (b board) early() error {
	for party := range b.parties() {
		if round := b.of(party, wordEarly).Load(); round > 0 {
			return fmt.Errorf("%w: party %d, round %d, before party %d", ErrEarly, party, round, b.of(party, wordEarlyPeer).Load())
		}
	}
	return nil
}

// sample returns what the parties have reported. The section is as long as from
// the last return of its first round to the last return of its last one.
func (b board) sample() (s Sample, err error) {
	var started, ended, cpu, voluntary, forced int64
	parties := b.parties()
	s.Rounds = b.word(wordLast).Load() - b.word(wordStart).Load()
	for party := range parties {
		from, to := b.of(party, wordStarted).Load(), b.of(party, wordEnded).Load()
		if from == 0 || to <= from || s.Rounds < 1 {
			return s, fmt.Errorf("%w: party %d has reported %d rounds from %d to %d", ErrBroken, party, s.Rounds, from, to)
		}
		started, ended = max(started, from), max(ended, to)
		cpu += b.of(party, wordCPU).Load()
		voluntary += b.of(party, wordVoluntary).Load()
		forced += b.of(party, wordInvoluntary).Load()
	}
	rounds := float64(s.Rounds)
	calls := rounds * float64(parties)
	s.Latency = thousandths(float64(ended-started) / 1e3 / rounds)
	s.CPU = thousandths(float64(cpu) / 1e3 / calls)
	s.Voluntary, s.Forced = thousandths(float64(voluntary)/calls), thousandths(float64(forced)/calls)
	return s, nil
}

// thousandths rounds a number: the rest says nothing.
func thousandths(v float64) float64 { return math.Round(v*1000) / 1000 }

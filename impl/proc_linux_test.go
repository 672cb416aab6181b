package impl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl/internal/shm"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
)

// roles are the programs of the other processes in these tests.
var roles = map[string]func(args []string) error{
	"rounds":   roleRounds,
	"hold":     roleHold,
	"full shm": roleFullShm,
}

// TestMain runs a role in a process that start starts.
func TestMain(m *testing.M) {
	programs := map[string]func(){}
	for name, role := range roles {
		programs[name] = func() {
			if err := role(os.Args[1:]); err != nil {
				fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
				os.Exit(1)
			}
		}
	}
	reexec.Main(m, programs)
}

// A peer is another process with a role.
type peer struct {
	t    testing.TB
	role string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
}

func start(t testing.TB, role string, args ...string) *peer {
	t.Helper()
	cmd := reexec.Command(context.Background(), role, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out := reexec.Start(t, cmd)
	p := &peer{t, role, cmd, in, bufio.NewScanner(out)}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
	return p
}

// end closes the peer's stdin and waits until it has ended without an error.
func (p *peer) end() {
	p.t.Helper()
	p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("%s ends with %v, want nil", p.role, err)
	}
}

func roleRounds(args []string) error {
	b, err := Attach(context.Background(), args[0], args[1])
	if err != nil {
		return err
	}
	parties, _ := strconv.Atoi(args[2])
	rounds, _ := strconv.Atoi(args[3])
	for range rounds {
		if err := b.Wait(context.Background(), parties); err != nil {
			return err
		}
	}
	return b.Close()
}

func TestProc_Rounds(t *testing.T) {
	const parties, rounds = 4, 300
	b, name, lockPath := create(t)
	var peers []*peer
	for range parties {
		peers = append(peers, start(t, "rounds", name, lockPath, strconv.Itoa(parties), strconv.Itoa(rounds)))
	}
	for _, p := range peers {
		p.end()
	}
	wantWords(t, b, spec.Initial)
}

// roleHold prints a line and waits for the end of stdin while it holds the
// lock.
func roleHold(args []string) error {
	b, err := Attach(context.Background(), args[0], args[1])
	if err != nil {
		return err
	}
	b.SetHook(func(s spec.Step) {
		if s == spec.InitExit {
			fmt.Println("holds")
			io.Copy(io.Discard, os.Stdin)
		}
	})
	return b.Wait(context.Background(), 1)
}

// startHolder returns a peer that holds the lock.
func startHolder(t *testing.T, name, lockPath string) *peer {
	t.Helper()
	holder := start(t, "hold", name, lockPath)
	if !holder.out.Scan() || holder.out.Text() != "holds" {
		t.Fatalf("the holder prints %q, want holds", holder.out.Text())
	}
	return holder
}

func TestProc_KilledHolderFreesLock(t *testing.T) {
	b, name, lockPath := create(t)
	holder := startHolder(t, name, lockPath)
	if held, err := b.lock.Try(); held || err != nil {
		t.Fatalf("try while a peer holds the lock: got %v, %v, want false, nil", held, err)
	}
	holder.cmd.Process.Kill()
	holder.cmd.Wait()
	if err := b.Wait(t.Context(), 1); err != nil {
		t.Errorf("Wait after the holder was killed: got %v, want nil", err)
	}
}

// TestProc_CancelledWhileLockIsHeld: a call that waits for the lock ends with
// its context, and does not take the lock later.
func TestProc_CancelledWhileLockIsHeld(t *testing.T) {
	b, name, lockPath := create(t)
	holder := startHolder(t, name, lockPath)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	attempts := 0
	b.SetHook(func(s spec.Step) {
		if s == spec.LockInit {
			if attempts++; attempts == 2*(lockSpins+yields) { // it sleeps between attempts
				cancel()
			}
		}
	})
	wantError(t, "Wait", b.Wait(ctx, 1), context.Canceled)
	if want := 2 * (lockSpins + yields); attempts != want {
		t.Errorf("attempts at the lock: got %d, want %d and none after the end of the context", attempts, want)
	}
	holder.end()
	if b.lock.Held {
		t.Error("the cancelled call holds the lock")
	}
}

// TestProc_InheritedDescriptor: a child that has the open lock file does not
// keep the lock, because releasing unlocks it.
func TestProc_InheritedDescriptor(t *testing.T) {
	b, name, lockPath := create(t)
	child := exec.Command("cat") // ends when its stdin does
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	b.SetHook(func(s spec.Step) {
		if s == spec.InitExit { // under the lock
			fd, err := unix.Dup(b.lock.FD)
			if err != nil {
				t.Fatal(err)
			}
			file := os.NewFile(uintptr(fd), "lock")
			defer file.Close()
			child.ExtraFiles = []*os.File{file}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
		}
	})
	if err := b.Wait(t.Context(), 1); err != nil {
		t.Fatalf("Wait: got %v, want nil", err)
	}
	if err := attach(t, name, lockPath).Wait(t.Context(), 1); err != nil {
		t.Errorf("Wait on another handle while a child has the descriptor: got %v, want nil", err)
	}
	stdin.Close()
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
}

// roleFullShm mounts a small file system on /dev/shm.Dir, in a mount namespace of
// its own, and fills it. The lock file is in the directory of the argument.
func roleFullShm(args []string) error {
	dir, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer dir.Close()
	lockPath := fmt.Sprintf("/proc/self/fd/%d/lock", dir.Fd()) // its own is hidden if TMPDIR is /dev/shm
	err = unix.Mount("tmpfs", shm.Dir, "tmpfs", 0, "size=8k")
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		fmt.Print("may not mount")
		return nil
	}
	if err != nil {
		return err
	}
	for i, want := range []error{nil, nil, ErrNoSpace} { // 8k are two pages
		b, err := Create(fmt.Sprint("full", i), lockPath)
		if !errors.Is(err, want) {
			return fmt.Errorf("Create of segment %d: got %v, want %v", i, err, want)
		}
		if err != nil {
			break
		}
		defer b.Close()
	}
	if _, err := Construct("full2", lockPath); !errors.Is(err, ErrNoSpace) {
		return fmt.Errorf("Construct: got %v, want %v", err, ErrNoSpace)
	}
	left, err := os.ReadDir(shm.Dir)
	if len(left) != 2 {
		return fmt.Errorf("/dev/shm holds %v after the failure, want the two segments", left)
	}
	if err != nil {
		return err
	}
	// A segment that a peer truncated to its size has no page, and none is
	// left.
	if err := os.WriteFile(shm.Dir+"sized", nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(shm.Dir+"sized", spec.Size); err != nil {
		return err
	}
	if _, err := Attach(context.Background(), "sized", lockPath); !errors.Is(err, ErrNoSpace) {
		return fmt.Errorf("Attach to a segment without a page: got %v, want %v", err, ErrNoSpace)
	}
	if _, err := Construct("sized", lockPath); !errors.Is(err, ErrNoSpace) {
		return fmt.Errorf("Construct of a segment without a page: got %v, want %v", err, ErrNoSpace)
	}
	// Nor has one that loses its page while it is open.
	lost, err := Attach(context.Background(), "full0", lockPath)
	if err != nil {
		return err
	}
	defer lost.Close()
	if err := unix.Fallocate(lost.segment.FD, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 4096); err != nil {
		return err
	}
	taker, err := Create("full2", lockPath)
	if err != nil {
		return err
	}
	if _, err := lost.Words(); !errors.Is(err, ErrNoSpace) || errors.Is(err, ErrSize) {
		return fmt.Errorf("access to a segment without a page: got %v, want %v", err, ErrNoSpace)
	}
	if err := errors.Join(taker.Close(), os.Remove(shm.Dir+"full2"), lost.Reset()); err != nil {
		return err
	}
	// These have their pages.
	if _, err := Create("full0", lockPath); !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("Create of a segment that exists: got %v, want %v", err, os.ErrExist)
	}
	for _, open := range []func() (*Barrier, error){
		func() (*Barrier, error) { return Attach(context.Background(), "full0", lockPath) },
		func() (*Barrier, error) { return Construct("full0", lockPath) },
	} {
		b, err := open()
		if err != nil {
			return fmt.Errorf("Attach or Construct of a segment with a page: got %v, want nil", err)
		}
		if err := b.Close(); err != nil {
			return err
		}
	}
	return nil
}

func TestProc_FullShm(t *testing.T) { startMounting(t, "full shm", t.TempDir()) }

// startMounting runs a role in a mount namespace of its own. It skips the test
// if the role may not mount.
func startMounting(t *testing.T, role string, args ...string) {
	t.Helper()
	cmd := reexec.Command(t.Context(), role, args...)
	reexec.InMountNamespace(cmd)
	out, err := cmd.CombinedOutput()
	if reexec.NoNamespace(err) || string(out) == "may not mount" {
		toolcache.Require(t, toolcache.Missing("no right to make a mount namespace; run as root or allow unprivileged user namespaces"))
	}
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

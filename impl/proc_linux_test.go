package impl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
)

// roles are what other processes do in these tests. They say something on
// stdout when they are ready, and go on when a line comes on stdin. They are
// the programs of TestMain.
var roles = map[string]func(args []string) error{
	"rounds":    roleRounds,
	"hold":      roleHold,
	"unlink":    roleUnlink,
	"inherit":   roleInherit,
	"full shm":  roleFullShm,
	"no flock":  roleNoFlock,
	"list open": roleListOpen,
}

// A peer is another process with a role.
type peer struct {
	t    testing.TB
	role string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
}

func command(role string, args ...string) *exec.Cmd {
	return reexec.Command(context.Background(), role, args...)
}

func start(t testing.TB, role string, args ...string) *peer {
	return startCommand(t, role, command(role, args...))
}

func startCommand(t testing.TB, role string, cmd *exec.Cmd) *peer {
	t.Helper()
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &peer{t, role, cmd, in, bufio.NewScanner(out)}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
	return p
}

// hear waits until the peer says want.
func (p *peer) hear(want string) {
	p.t.Helper()
	if !p.out.Scan() || p.out.Text() != want {
		p.t.Fatalf("%s says %q, want %q", p.role, p.out.Text(), want)
	}
}

func (p *peer) tell(line string) { fmt.Fprintln(p.in, line) }

// end waits until the peer has ended well.
func (p *peer) end() {
	p.t.Helper()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("%s ends with %v, want nil", p.role, err)
	}
}

func (p *peer) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

func say(line string) { fmt.Println(line) }

// listen waits for a line on stdin or for its end.
func listen() { bufio.NewScanner(os.Stdin).Scan() }

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

// roleHold stops while it holds the lock.
func roleHold(args []string) error {
	b, err := Attach(context.Background(), args[0], args[1])
	if err != nil {
		return err
	}
	b.SetHook(func(s spec.Step) {
		if s == spec.InitExit {
			say("holds")
			listen()
		}
	})
	return b.Wait(context.Background(), 1)
}

func TestProc_KilledHolderFreesLock(t *testing.T) {
	b, name, lockPath := create(t)
	holder := start(t, "hold", name, lockPath)
	holder.hear("holds")
	if held, err := b.lock.try(); held || err != nil {
		t.Fatalf("try while a peer holds the lock: got %v, %v, want false, nil", held, err)
	}
	holder.kill()
	if err := b.Wait(t.Context(), 1); err != nil {
		t.Errorf("Wait after the holder was killed: got %v, want nil", err)
	}
}

// TestProc_CancelledWhileLockIsHeld: the call ends though it never gets the
// lock, and does not take it later.
func TestProc_CancelledWhileLockIsHeld(t *testing.T) {
	b, name, lockPath := create(t)
	holder := start(t, "hold", name, lockPath)
	holder.hear("holds")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	attempts := 0
	b.SetHook(func(s spec.Step) {
		if s == spec.LockInit {
			if attempts++; attempts == 2*(lockSpins+yields) { // asleep between attempts by now
				cancel()
			}
		}
	})
	wantError(t, "Wait", b.Wait(ctx, 1), context.Canceled)
	if want := 2 * (lockSpins + yields); attempts != want {
		t.Errorf("attempts at the lock: got %d, want %d and none after the end of the context", attempts, want)
	}
	holder.tell("go on")
	holder.end()
	if b.lock.held {
		t.Error("the cancelled call holds the lock")
	}
}

// roleUnlink is a peer that unlinks the lock file whenever it releases it, as
// filelock 3.20.4 to 3.29.4 do.
func roleUnlink(args []string) error {
	l, err := openLock(args[0])
	if err != nil {
		return err
	}
	var done sync.WaitGroup
	stop := make(chan struct{})
	done.Go(func() { listen(); close(stop) })
	say("begins")
	for n := 0; ; n++ {
		select {
		case <-stop:
			if n < 10 {
				return fmt.Errorf("unlinked %d times, too few to mean anything", n)
			}
			done.Wait()
			return nil
		default:
		}
		held, err := l.try()
		if !held {
			if err != nil {
				return err
			}
			yield()
			n--
			continue
		}
		if err := unix.Unlink(args[0]); err != nil {
			return err
		}
		if err := l.release(); err != nil {
			return err
		}
		l.reopen()
	}
}

func TestProc_LockFileUnlinkedByPeer(t *testing.T) {
	const parties, rounds = 3, 300
	b, name, lockPath := create(t)
	unlinker := start(t, "unlink", lockPath)
	unlinker.hear("begins")
	var peers []*peer
	for range parties {
		peers = append(peers, start(t, "rounds", name, lockPath, strconv.Itoa(parties), strconv.Itoa(rounds)))
	}
	for _, p := range peers {
		p.end()
	}
	unlinker.tell("stop")
	unlinker.end()
	wantWords(t, b, spec.Initial)
}

// roleInherit has descriptor 3 from its parent, and keeps it open.
func roleInherit([]string) error {
	if _, err := unix.FcntlInt(3, unix.F_GETFD, 0); err != nil {
		return err
	}
	say("has it")
	listen()
	return nil
}

// TestProc_InheritedDescriptor: a child that has the open lock file does not
// keep the lock, because releasing unlocks it.
func TestProc_InheritedDescriptor(t *testing.T) {
	b, name, lockPath := create(t)
	var child *peer
	b.SetHook(func(s spec.Step) {
		if s == spec.InitExit { // under the lock
			fd, err := unix.Dup(b.lock.fd)
			if err != nil {
				t.Fatal(err)
			}
			file := os.NewFile(uintptr(fd), "lock")
			defer file.Close()
			cmd := command("inherit")
			cmd.ExtraFiles = []*os.File{file}
			child = startCommand(t, "inherit", cmd)
			child.hear("has it")
		}
	})
	if err := b.Wait(t.Context(), 1); err != nil {
		t.Fatalf("Wait: got %v, want nil", err)
	}
	if err := attach(t, name, lockPath).Wait(t.Context(), 1); err != nil {
		t.Errorf("another's Wait while a child has the descriptor: got %v, want nil", err)
	}
	child.tell("end")
	child.end()
}

func roleListOpen([]string) error {
	open, err := os.ReadDir("/proc/self/fd")
	for _, fd := range open {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil {
			say(to)
		}
	}
	say("end")
	return err
}

func TestProc_ClosedOnExec(t *testing.T) {
	b, name, lockPath := create(t)
	if to, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", b.lock.fd)); err != nil || to != lockPath {
		t.Fatalf("descriptor of the lock is open on %q, %v, want %q", to, err, lockPath)
	}
	out, err := command("list open").Output()
	if err != nil || !strings.HasSuffix(string(out), "end\n") {
		t.Fatalf("child: %v, says %q", err, out)
	}
	for _, path := range []string{lockPath, name} {
		if strings.Contains(string(out), path) {
			t.Errorf("a child has %q open:\n%s", path, out)
		}
	}
}

// roleFullShm has a mount namespace of its own, in which it puts a full file
// system in the place of /dev/shm.
func roleFullShm(args []string) error {
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") // or others would see it too
	if err == nil {
		err = unix.Mount("tmpfs", shm, "tmpfs", 0, "size=8k")
	}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		say("may not mount")
		return nil
	}
	if err != nil {
		return err
	}
	for i, want := range []error{nil, nil, ErrNoSpace} { // 8k are two pages
		b, err := Create(fmt.Sprint("full", i), args[0])
		if !errors.Is(err, want) {
			return fmt.Errorf("Create of segment %d: got %v, want %v", i, err, want)
		}
		if err != nil {
			break
		}
		defer b.Close()
	}
	if _, err := Construct("full2", args[0]); !errors.Is(err, ErrNoSpace) {
		return fmt.Errorf("Construct: got %v, want %v", err, ErrNoSpace)
	}
	left, err := os.ReadDir(shm)
	if len(left) != 2 {
		return fmt.Errorf("/dev/shm holds %v after the failure, want the two segments", left)
	}
	if err != nil {
		return err
	}
	// What a peer has only truncated to its size has no page, and there is none left.
	if err := os.WriteFile(shm+"sized", nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(shm+"sized", spec.Size); err != nil {
		return err
	}
	if _, err := Attach(context.Background(), "sized", args[0]); !errors.Is(err, ErrNoSpace) {
		return fmt.Errorf("Attach to a segment without a page: got %v, want %v", err, ErrNoSpace)
	}
	if _, err := Construct("sized", args[0]); !errors.Is(err, ErrNoSpace) {
		return fmt.Errorf("Construct of a segment without a page: got %v, want %v", err, ErrNoSpace)
	}
	b, err := Attach(context.Background(), "full0", args[0]) // has its page
	if err != nil {
		return fmt.Errorf("Attach to a segment with a page: got %v, want nil", err)
	}
	return b.Close()
}

func TestProc_FullShm(t *testing.T) {
	cmd := command("full shm", filepath.Join(t.TempDir(), "lock"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, unix.EPERM) || string(out) == "may not mount\n" {
		missing(t, "the right to make a mount namespace: run as root or allow unprivileged user namespaces")
	}
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// roleNoFlock has a kernel that answers flock(2) with the error of a file
// system which cannot lock (EBADF: which emulates it with record locks).
func roleNoFlock(args []string) error {
	for _, errno := range []unix.Errno{unix.EOPNOTSUPP, unix.ENOLCK, unix.EBADF} { // of two filters the newer one counts
		if err := failFlock(errno); err != nil {
			return err
		}
		_, err := Create(args[0], args[1])
		if !errors.Is(err, ErrNoFlock) {
			return fmt.Errorf("Create: got %v, want %v", err, ErrNoFlock)
		}
	}
	return nil
}

func TestProc_NoFlock(t *testing.T) {
	name, lockPath := newNames(t)
	if out, err := command("no flock", name, lockPath).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := os.Lstat(shm + name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a failed Create leaves the segment behind: Lstat: %v", err)
	}
}

// TestProc_PythonPeer: peers that poll, and wake nobody, meet parties that
// sleep in a futex. One of them unlinks the lock file on release.
func TestProc_PythonPeer(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		missing(t, "python3 (Debian package python3)")
	}
	const parties, rounds = 4, 25
	b, name, lockPath := create(t)
	c := attach(t, name, lockPath)
	var peers []*peer
	for _, release := range []string{"keep", "unlink"} {
		cmd := exec.Command(python, "testdata/peer.py", shm+name, lockPath, strconv.Itoa(parties), strconv.Itoa(rounds), release)
		peers = append(peers, startCommand(t, "peer.py", cmd))
	}
	var group sync.WaitGroup
	for _, b := range []*Barrier{b, c} {
		group.Go(func() {
			for r := range rounds {
				if err := b.Wait(t.Context(), parties); err != nil {
					t.Errorf("Wait %d: got %v, want nil", r, err)
				}
			}
		})
	}
	group.Wait()
	for _, p := range peers {
		p.hear(fmt.Sprint("returned ", rounds))
		p.end()
	}
	wantWords(t, b, spec.Initial)
}

// missing skips the test, or fails it where nothing may be missing.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("SHAREDBARRIER_STRICT") == "1" {
		t.Fatalf("needs %s", what)
	}
	t.Skipf("needs %s", what)
}

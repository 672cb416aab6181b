//go:build linux

package bench

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/stress/port/registry"
)

// Base is the contender that the others are compared with.
const Base = "glibc"

// A contender is a barrier that can be measured.
type contender struct {
	name string
	what string
	// prepare compiles or installs it. It fails with a toolcache.Missing if a
	// tool is missing.
	prepare func(ctx context.Context) (prepared, error)
}

// prepared is a contender that is ready to be measured.
type prepared struct {
	Name    string
	version string
	// launch returns commands whose processes are the parties of the match: one
	// command a party, or one that starts them all.
	launch func(m match) []*exec.Cmd
}

// A match is what the parties of one measurement share. Its files are new.
type match struct {
	parties    int
	processors int
	dir        string // for files
	board      string // path
	segment    string // name of the segment of a barrier of this project
	lock       string // path of its lock file
}

// contenders are those there are, in the order of the table.
var contenders = []contender{
	{"group", "impl/group of this project", goContender("group")},
	{"plain", "impl.Barrier of this project", goContender("plain")},
	{"glibc", "pthread_barrier_t with PTHREAD_PROCESS_SHARED", glibc},
	{"multiprocessing", "multiprocessing.Barrier of Python", multiprocessing},
	{"openmpi", "MPI_Barrier of Open MPI", openMPI},
	{"original", "SharedBarrier of mosaicml-streaming", original},
	{"group+original", "one original, and members of impl/group for the others", mixed("group")},
	{"plain+original", "one original, and impl.Barrier for the others", mixed("plain")},
}

// Names lists the contenders.
func Names() (names []string) {
	for _, c := range contenders {
		names = append(names, c.name)
	}
	return names
}

// Contenders lists the contenders, with what each is.
func Contenders() (list []Contender) {
	for _, c := range contenders {
		list = append(list, Contender{Name: c.name, What: c.what})
	}
	return list
}

// arguments are those of each worker in any language: the board, the number of
// its party ("all": it starts all of them), the segment and the lock file.
func (m match) arguments(party string) []string {
	return []string{m.board, party, m.segment, m.lock}
}

// each returns one command a party.
func each(m match, command func(args []string) *exec.Cmd) (list []*exec.Cmd) {
	for party := range m.parties {
		list = append(list, command(m.arguments(fmt.Sprint(party))))
	}
	return list
}

// goContender is a barrier in Go, under its name in openers.
func goContender(name string) func(context.Context) (prepared, error) {
	return func(context.Context) (prepared, error) {
		return prepared{version: "this program", launch: func(m match) []*exec.Cmd {
			return each(m, func(args []string) *exec.Cmd { return goWorker(name, args) })
		}}, nil
	}
}

func goWorker(name string, args []string) *exec.Cmd {
	return exec.Command("/proc/self/exe", append([]string{workerCommand, name}, args...)...)
}

const (
	errNoCC  = toolcache.Missing("no C compiler for glibc; install one that is called cc (Debian: apt-get install gcc libc6-dev)")
	errNoMPI = toolcache.Missing("no Open MPI; install it (Debian: apt-get install openmpi-bin libopenmpi-dev)")
)

//go:embed worker/worker.c
var workerC string

var cFlags = []string{"-std=c11", "-O2", "-pthread", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-x", "c"}

// glibc compiles the barrier of the C library.
func glibc(ctx context.Context) (prepared, error) {
	program, err := registry.Compile(ctx, errNoCC, "cc", cFlags, "bench-worker.c", workerC)
	if err != nil {
		return prepared{}, err
	}
	_, version, err := toolcache.Ask(ctx, errNoCC, program, "version")
	return prepared{version: strings.TrimSpace(version), launch: func(m match) []*exec.Cmd {
		return each(m, func(args []string) *exec.Cmd { return exec.Command(program, args...) })
	}}, err
}

var openMPIVersion = regexp.MustCompile(`Open MPI\)? ([\w.]+)`)

// openMPI compiles the same worker with MPI_Barrier.
func openMPI(ctx context.Context) (prepared, error) {
	mpirun, version, err := toolcache.Ask(ctx, errNoMPI, "mpirun", "--version")
	if err != nil {
		return prepared{}, err
	}
	found := openMPIVersion.FindStringSubmatch(version)
	if found == nil {
		return prepared{}, fmt.Errorf("%w (%s is of another MPI)", errNoMPI, mpirun)
	}
	program, err := registry.Compile(ctx, errNoMPI, "mpicc", append([]string{"-DMPI"}, cFlags...), "bench-worker-mpi.c", workerC)
	if err != nil {
		return prepared{}, err
	}
	return prepared{version: "Open MPI " + found[1], launch: func(m match) []*exec.Cmd {
		args := []string{"--oversubscribe", "--bind-to", "none", "-n", fmt.Sprint(m.parties), program}
		cmd := exec.Command(mpirun, append(args, m.arguments("all")...)...)
		cmd.Env = append(os.Environ(), "TMPDIR="+m.dir,
			"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", // it refuses root without both
			"OMPI_MCA_mpi_yield_when_idle="+yields(m),
			"OMPI_MCA_btl_vader_backing_directory="+m.dir, "OMPI_MCA_btl_sm_backing_directory="+m.dir) // of Open MPI 4 and 5
		return []*exec.Cmd{cmd}
	}}, nil
}

// yields is 1 if the parties of Open MPI are to yield while they wait: where
// they have less than a processor each. Open MPI does the same by itself, but
// counts the processors of the machine.
func yields(m match) string {
	if m.parties > m.processors {
		return "1"
	}
	return "0"
}

//go:embed worker/worker.py
var workerPy string

// multiprocessing needs Python alone.
func multiprocessing(ctx context.Context) (prepared, error) {
	python, version, err := toolcache.Ask(ctx, toolcache.NoPython, "python3", "-I", "-c",
		`import platform, multiprocessing.synchronize; print(platform.python_implementation(), platform.python_version())`)
	return prepared{version: strings.TrimSpace(version), launch: func(m match) []*exec.Cmd {
		args := []string{"-E", "-s", "-B", "-c", workerPy, "multiprocessing"}
		cmd := exec.Command(python, append(args, m.arguments("all")...)...)
		cmd.Env = append(os.Environ(), "TMPDIR="+m.dir)
		return []*exec.Cmd{cmd}
	}}, err
}

// original uses the package that the port python has installed.
func original(ctx context.Context) (prepared, error) {
	worker, version, err := originalWorker(ctx)
	return prepared{version: version, launch: func(m match) []*exec.Cmd { return each(m, worker) }}, err
}

func originalWorker(ctx context.Context) (worker func(args []string) *exec.Cmd, version string, err error) {
	port, err := registry.Command(ctx, "python")
	if err != nil {
		return nil, "", err
	}
	last := len(port.Args) - 1
	folder := filepath.Dir(port.Args[last])
	script := slices.Concat(port.Args[1:last], []string{"-c", workerPy})
	_, version, err = toolcache.Ask(ctx, toolcache.NoPython, port.Path, append(script, "version", folder)...)
	return func(args []string) *exec.Cmd {
		cmd := exec.Command(port.Path, slices.Concat(script, []string{"original", folder}, args)...)
		cmd.Env = slices.Clone(port.Env)
		return cmd
	}, strings.TrimSpace(version), err
}

// mixed has one original, which is party 0, and a barrier in Go for the others.
func mixed(name string) func(context.Context) (prepared, error) {
	return func(ctx context.Context) (prepared, error) {
		worker, version, err := originalWorker(ctx)
		return prepared{version: version, launch: func(m match) []*exec.Cmd {
			list := each(m, func(args []string) *exec.Cmd { return goWorker(name, args) })
			list[0] = worker(m.arguments("0"))
			return list
		}}, err
	}
}

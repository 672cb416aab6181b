// Command mutate changes the code of a package, one small mistake at a time,
// and runs the package's own tests against each. A mistake that no test notices
// (a survivor) needs a reason in reasons.txt.
//
//	.ci/mutants                     # every package, both kinds of mutants
//	.ci/mutants --hand ./impl       # the mistakes of hand.txt in one package
//	.ci/mutants --gremlins ./impl   # those of the mutation tester gremlins, too
//	.ci/mutants --write ./model     # and writes the result into spec/MUTANTS.md
//
// It changes nothing in the tree: the go command reads the changed files from
// an overlay. The mutants of one package are compiled once, into one program;
// an environment variable says which of them is on. The first runs, of each test
// alone with all mutants off, tell which test reaches which mutant.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
)

func main() { cli.Main(command()) }

// packages are those that a run without arguments takes, the quickest first.
var packages = []string{
	"stress/oracle", "stress/trace", "model", "tla/tlc", "impl/internal/shm", "impl", "impl/group", "model/proof", "model/proof/certificate", "stress/lockprobe",
	"model/explore", "stress/lockstep", "stress/vectors", "stress/run", "stress/conformance",
}

// Where the command reads and writes, from the top of the tree.
const (
	handPath    = ".ci/mutate/hand.txt"
	reasonsPath = ".ci/mutate/reasons.txt"
	pagePath    = "spec/MUTANTS.md"
)

type options struct {
	hand, generated, gremlins bool
	only                      string
	write                     bool
}

func command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "mutants [PACKAGE...]",
		Short: "Run the tests of packages against mistakes in their code",
		Long: `Run the tests of each package, with -short, against mistakes in its code: those that
are generated (a statement removed, a condition that is always true or false, an operand
left out, < for <=, an error dropped, a result negated) and those of
` + handPath + `.

A mutant is killed when a test fails; a time limit counts apart from that. Exit codes: 0
each survivor has a reason in ` + reasonsPath + `, 12 one has none, or a test
fails without a mutant, 2 usage or environment, 130 interrupted.`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.hand, "hand", false, "only the mistakes of "+handPath)
	f.BoolVar(&o.generated, "generated", false, "only those that are generated")
	f.BoolVar(&o.gremlins, "gremlins", false, "also those of gremlins, which takes many times as long")
	f.StringVar(&o.only, "only", "", "only mutants with this `text` in their name")
	f.BoolVar(&o.write, "write", false, "write the result into "+pagePath)
	return cmd
}

func (o options) run(cmd *cobra.Command, args []string) error {
	ctx := cmd.Context()
	if o.hand && o.generated {
		return fmt.Errorf("--hand and --generated exclude each other: leave out both for all mutants")
	}
	if o.write && o.only != "" {
		return fmt.Errorf("--write is for a whole run: leave out --only")
	}
	list, err := packagesOf(args)
	if err != nil {
		return err
	}
	reasons, err := readReasons(reasonsPath)
	if err != nil {
		return err
	}
	hand, err := readHand(handPath)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	wrong := 0
	for _, pkg := range list {
		r, err := o.test(ctx, cmd, dir, pkg, hand[pkg])
		if err != nil {
			return fmt.Errorf("%s: %w", pkg, err)
		}
		r.explain(reasons, !o.partial())
		fmt.Fprint(cmd.OutOrStdout(), r.text())
		wrong += len(r.unexplained) + len(r.stale) + len(r.broken)
		if o.write {
			if err := r.writeTo(pagePath); err != nil {
				return err
			}
		}
	}
	if wrong > 0 {
		return cli.Exit(spec.ExitSafety)
	}
	return nil
}

// partial reports whether some mutants are left out, so that their reasons are
// not used.
func (o options) partial() bool { return o.hand || o.generated || o.only != "" }

// test tries the mutants of one package.
func (o options) test(ctx context.Context, cmd *cobra.Command, dir, pkg string, hand []handMade) (*result, error) {
	start := time.Now()
	say := func(format string, args ...any) { fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...) }
	r := &result{pkg: pkg}
	t := &trial{pkg: pkg, dir: filepath.Join(dir, strings.ReplaceAll(pkg, "/", "-")), least: 5 * time.Second, say: say}
	if err := os.Mkdir(t.dir, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(t.dir)
	if !o.hand {
		if err := t.generated(ctx, o.only, r); err != nil {
			return nil, err
		}
	}
	if !o.generated {
		hand = slices.DeleteFunc(slices.Clone(hand), func(h handMade) bool { return !strings.Contains(h.name, o.only) })
		if err := t.byHand(ctx, hand, r); err != nil {
			return nil, err
		}
	}
	if o.gremlins {
		if err := t.gremlins(ctx, r); err != nil {
			return nil, err
		}
	}
	r.took = time.Since(start)
	return r, nil
}

// packagesOf returns the folders that the arguments name.
func packagesOf(args []string) (list []string, err error) {
	if len(args) == 0 {
		return packages, nil
	}
	for _, arg := range args {
		pkg := filepath.ToSlash(filepath.Clean(arg))
		if !slices.Contains(packages, pkg) {
			return nil, fmt.Errorf("package %s has no mutants: give some of %s", arg, strings.Join(packages, " "))
		}
		list = append(list, pkg)
	}
	return list, nil
}

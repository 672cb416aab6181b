// Command check puts the questions of folder tla to TLC and compares its
// answers with manifest.json.
//
//	go run ./tla/check                          every question that takes two minutes at most
//	go run ./tla/check --class long             all of them
//	go run ./tla/check --scenario crash --trace one scenario, with its counterexamples
//	go run ./tla/check reuse-n4-safety --json   one question
//
// TLC is found or fetched (see tlc.Find) and needs Java 11 or newer.
package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/tla/tlc"
)

func main() { cli.Main(command()) }

func command() *cobra.Command { return commandWith(&options{}) }

// commandWith returns the command whose flags are read into o.
func commandWith(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [question ...]",
		Short: "put the questions of folder tla to TLC and compare its answers with manifest.json",
		Long: `Puts the questions of folder tla (its .cfg files) to TLC and compares verdict, states
and depth with manifest.json. Without arguments and filters: all that take two minutes at most,
a quarter of an hour together.

TLC is the jar that ` + tlc.JarVariable + ` names, or one in the cache folder, or is fetched
with mvn, or as the official release; its SHA-256 is checked before every run.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, names []string) error {
			o.read(cmd, names)
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.scenario, "scenario", "all", "only this scenario: all, "+strings.Join(scenarioNames(), ", "))
	flags.IntVar(&o.procs, "procs", 0, "only questions about so many processes; with --simulate, any number of them")
	flags.IntVar(&o.rounds, "rounds", 0, "only questions about so many rounds; 0: the unbounded ones")
	flags.StringVar(&o.class, "class", string(tlc.Medium), "the longest to run: short (seconds), medium (up to two minutes), long")
	flags.BoolVar(&o.json, "json", false, "print one JSON object a line")
	flags.BoolVar(&o.trace, "trace", false, "print the counterexamples that were expected, too")
	flags.IntVar(&o.workers, "workers", 1, "threads of TLC; only with 1 are depth and counterexamples exact")
	flags.StringVar(&o.memory, "memory", "", "largest Java heap, such as 4g (default: Java's own choice)")
	flags.DurationVar(&o.limit, "limit", 0, "give up a question after so long (default: by its class)")
	flags.IntVar(&o.distributed, "distributed", 0, "use TLC's server and so many worker processes on this machine; until they end, their ports are open to the network, without authentication")
	flags.BoolVar(&o.jar, "jar", false, "find or fetch the TLC jar, print its path, and do nothing else")
	flags.StringVar(&o.record, "record", "", "write the answers into this manifest file instead of comparing them")
	flags.Int64Var(&o.simulate, "simulate", 0, "try so many random behaviours instead of all states, for questions of safety")
	flags.Int64Var(&o.seed, "seed", 1, "seed of --simulate: the same one, the same behaviours")
	return cmd
}

// read takes in what the flags' values do not say.
func (o *options) read(cmd *cobra.Command, names []string) {
	o.names = names
	given := cmd.Flags().Changed
	o.procsGiven, o.roundsGiven, o.seedGiven = given("procs"), given("rounds"), given("seed")
	for _, name := range []string{"procs", "workers", "memory", "limit", "distributed", "simulate", "seed"} {
		if given(name) {
			o.manner += fmt.Sprintf(" --%s %v", name, cmd.Flags().Lookup(name).Value)
		}
	}
}

func scenarioNames() []string {
	var names []string
	for _, s := range spec.AllScenarios {
		if s != spec.Fork { // handles are nothing that the spec knows
			names = append(names, s.String())
		}
	}
	return names
}

// Command check asks TLC the questions of tla/questions.json and compares its
// answers with the expected ones in that file.
//
//	go run ./tla/check                          every question that takes two minutes at most
//	go run ./tla/check --class long             all of them
//	go run ./tla/check --scenario crash --trace one scenario, with its counterexamples
//	go run ./tla/check reuse-n4-safety --json   one question
//
// It finds or fetches TLC (see tlc.Find), which needs Java 11 or newer.
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
		Short: "ask TLC the questions of tla/questions.json and compare its answers",
		Long: `Asks TLC the questions of tla/questions.json and compares verdict, states and depth with
the answers there. Without arguments and filters it asks every question that takes two
minutes at most. One run of TLC answers all questions about the same states whose formulas
must hold.

The command runs the TLC jar that ` + tlc.JarVariable + ` names, or else the one in the user's
cache folder. If there is neither, it fetches one into that folder, with mvn or as the
official release. It checks the jar's SHA-256 before every run.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, names []string) error {
			o.read(cmd, names)
			return o.run(cmd)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.scenario, "scenario", "all", "only this scenario: all, "+strings.Join(scenarioNames(), ", "))
	flags.IntVar(&o.procs, "procs", 0, "only questions about this number of processes (default: any); with --simulate, the number to try")
	flags.IntVar(&o.rounds, "rounds", 0, "only questions about this number of rounds; 0: unbounded (default: any)")
	flags.StringVar(&o.class, "class", string(tlc.Medium), "the longest class to ask: short (seconds), medium (up to two minutes), long")
	flags.BoolVar(&o.json, "json", false, "print one JSON object a line")
	flags.BoolVar(&o.trace, "trace", false, "print the expected counterexamples too")
	flags.IntVar(&o.workers, "workers", 1, "threads of TLC; depth and counterexamples are exact only with 1")
	flags.StringVar(&o.memory, "memory", "", "largest Java heap, such as 4g (default: Java's own choice)")
	flags.DurationVar(&o.limit, "limit", 0, "give up a question after this long (default: by its class)")
	flags.IntVar(&o.distributed, "distributed", 0, "use TLC's server and this number of worker processes on this machine; they listen on the loopback address, without authentication")
	flags.BoolVar(&o.jar, "jar", false, "find or fetch the TLC jar and print its path only")
	flags.BoolVar(&o.cfg, "cfg", false, "print the configurations of the questions only, as .cfg files of MCSharedBarrier")
	flags.StringVar(&o.record, "record", "", "write the answers into this `FILE`, a questions.json, instead of comparing them")
	flags.StringVar(&o.timeline, "timeline", "", "write the counterexamples as a page for a browser to this `FILE`, with a lane for each process")
	flags.Int64Var(&o.simulate, "simulate", 0, "try this number of random behaviours instead of all states, for questions of safety")
	flags.Int64Var(&o.seed, "seed", 1, "seed of --simulate: the same seed tries the same behaviours")
	return cmd
}

// read notes which flags were given.
func (o *options) read(cmd *cobra.Command, names []string) {
	o.names = names
	given := cmd.Flags().Changed
	o.procsGiven, o.roundsGiven, o.seedGiven = given("procs"), given("rounds"), given("seed")
	for _, name := range []string{"procs", "workers", "memory", "limit", "distributed", "simulate", "seed"} {
		if given(name) {
			o.flags += fmt.Sprintf(" --%s %v", name, cmd.Flags().Lookup(name).Value)
		}
	}
}

func scenarioNames() []string {
	var names []string
	for _, s := range spec.AllScenarios {
		if s != spec.Fork { // the modules have no handles
			names = append(names, s.String())
		}
	}
	return names
}

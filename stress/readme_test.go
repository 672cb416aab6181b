//go:build linux

package main

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// TestGolden_Readme shows that the output of the first command in README.md has
// the lines of a real one. Numbers and the machine may differ. With -update the
// command runs as the page says.
func TestGolden_Readme(t *testing.T) {
	args := []string{"--rounds", "200"}
	if flag.Lookup("update").Value.String() == "true" {
		args = nil
	}
	c := newCommand(t, args...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if code := c.exitCode(t); code != spec.ExitOK {
		t.Fatalf("stress %q: exit code %d, stderr %s", args, code, c.err.String())
	}
	want := "```console\n$ go run ./stress\n" + c.out.String() + "```\n"
	page, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(string(page), "<!-- output:stress -->\n")
	got, _, _ = strings.Cut(got, "<!-- /output:stress -->")
	if args != nil && shape(got) == shape(want) {
		want = got
	}
	golden.Part(t, "../README.md", "output", "stress", want)
}

var (
	numbers     = regexp.MustCompile(`\d+`)
	environment = regexp.MustCompile(`(?m)^environment .*$`)
)

// shape returns the text without what differs from run to run.
func shape(text string) string {
	return numbers.ReplaceAllString(environment.ReplaceAllString(text, "environment"), "0")
}

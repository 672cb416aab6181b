package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"sharedbarrier/model/cli"
)

// writeTo puts the rows and the survivors of the package into the page at path.
// It leaves what the page has of other packages.
func (r *result) writeTo(path string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text, err := replacePart(string(page), "table", r.table)
	if err == nil {
		text, err = replacePart(text, "survivors", r.section)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return cli.WriteFile(path, func(out io.Writer) error {
		_, err := io.WriteString(out, text)
		return err
	})
}

// replacePart replaces what is between the marks of a part.
func replacePart(page, name string, with func(old string) string) (string, error) {
	part := regexp.MustCompile(`(?s)(<!-- mutants:` + name + ` -->\n)(.*?)(<!-- /mutants -->)`)
	match := part.FindStringSubmatchIndex(page)
	if match == nil {
		return "", fmt.Errorf("it has no part <!-- mutants:%s -->", name)
	}
	return page[:match[4]] + with(page[match[4]:match[5]]) + page[match[5]:], nil
}

const head = "| package | mutants | in all | killed | time limit | lived | not reached | not viable |\n|---|---|---|---|---|---|---|---|\n"

// table returns the table with the rows of this package in place of its old
// ones.
func (r *result) table(old string) string {
	rows := map[string][]string{}
	for line := range strings.Lines(old) {
		if pkg, _, found := strings.Cut(strings.TrimPrefix(line, "| `"), "` |"); found {
			rows[pkg] = append(rows[pkg], strings.TrimSpace(line))
		}
	}
	rows[r.pkg] = r.rows()
	var b strings.Builder
	b.WriteString(head)
	for _, pkg := range slices.Sorted(slices.Values(packages)) {
		for _, row := range rows[pkg] {
			fmt.Fprintln(&b, row)
		}
	}
	return b.String()
}

// section returns the survivors of all packages, a section each.
func (r *result) section(old string) string {
	sections := map[string]string{}
	for _, part := range strings.Split("\n"+old, "\n### ")[1:] {
		pkg, rest, _ := strings.Cut(part, "\n")
		sections[pkg] = strings.Trim(rest, "\n") + "\n"
	}
	sections[r.pkg] = r.listed()
	var b strings.Builder
	for _, pkg := range slices.Sorted(slices.Values(packages)) {
		if text := sections[pkg]; strings.TrimSpace(text) != "" {
			fmt.Fprintf(&b, "### %s\n\n%s\n", pkg, text)
		}
	}
	return b.String()
}

// listed lists the survivors, those with one reason together.
func (r *result) listed() string {
	names := map[string][]string{}
	var reasons []string
	for _, s := range r.survivors {
		if names[s.reason] == nil {
			reasons = append(reasons, s.reason)
		}
		names[s.reason] = append(names[s.reason], strings.TrimPrefix(s.name, r.pkg+"/"))
	}
	var b strings.Builder
	for _, reason := range reasons {
		fmt.Fprintf(&b, "- %s\n", reason)
		for _, name := range names[reason] {
			fmt.Fprintf(&b, "  - %s\n", name)
		}
	}
	for _, name := range r.unexplained {
		fmt.Fprintf(&b, "- **no reason yet:** %s\n", strings.TrimPrefix(name, r.pkg+"/"))
	}
	return b.String()
}

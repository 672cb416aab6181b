package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

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

// table returns the table with the rows of this package, of the kinds that ran,
// in place of its old ones.
func (r *result) table(old string) string {
	rows := map[string]string{}
	for line := range strings.Lines(old + strings.Join(r.rows(), "\n")) {
		if cells := strings.Split(line, " | "); len(cells) > 2 {
			rows[cells[0]+cells[1]] = strings.TrimSpace(line)
		}
	}
	var b strings.Builder
	b.WriteString(head)
	for _, pkg := range slices.Sorted(slices.Values(packages)) {
		for _, kind := range kinds {
			if row := rows["| `"+pkg+"`"+kind]; row != "" {
				fmt.Fprintln(&b, row)
			}
		}
	}
	return b.String()
}

// section returns the survivors of all packages: those of this one, of the kinds
// that ran, in place of its old ones.
func (r *result) section(old string) string {
	all := survivorsOf(old)
	for _, kind := range kinds {
		if r.count(kind, "") > 0 {
			all[r.pkg] = slices.DeleteFunc(all[r.pkg], func(s survivor) bool { return s.kind == kind })
		}
	}
	all[r.pkg] = append(all[r.pkg], r.survivors...)
	return list(all)
}

// list lists the survivors by package, those with one reason together.
func list(all map[string][]survivor) string {
	var b strings.Builder
	for _, pkg := range slices.Sorted(slices.Values(packages)) {
		names := map[string][]string{}
		var reasons []string
		for _, s := range all[pkg] {
			why := cmp.Or(s.reason, unknown)
			if names[why] == nil {
				reasons = append(reasons, why)
			}
			name := strings.TrimPrefix(s.name, pkg+"/")
			if s.kind != generated {
				name += " (" + s.kind + ")"
			}
			names[why] = append(names[why], name)
		}
		if len(reasons) > 0 {
			fmt.Fprintf(&b, "### %s\n\n", pkg)
		}
		for _, why := range reasons {
			fmt.Fprintf(&b, "- %s\n", wrapped(why))
			for _, name := range names[why] {
				fmt.Fprintf(&b, "  - %s\n", name)
			}
		}
		if len(reasons) > 0 {
			b.WriteString("\n")
		}
	}
	return b.String()
}

// wrapped breaks a text into the lines of an item of a list.
func wrapped(text string) string {
	const width = 118
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(text) {
		switch n := utf8.RuneCountInString(word); {
		case column > 0 && column+1+n > width:
			b.WriteString("\n  ")
			column = 0
		case column > 0:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += utf8.RuneCountInString(word)
	}
	return b.String()
}

// unknown stands where a reason is missing.
const unknown = "**No reason yet.**"

// survivorsOf reads what list has written, without the reasons.
func survivorsOf(text string) map[string][]survivor {
	all := map[string][]survivor{}
	pkg := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if head, is := strings.CutPrefix(line, "### "); is {
			pkg = head
		}
		name, is := strings.CutPrefix(line, "  - ")
		if !is {
			continue
		}
		s := survivor{kind: generated, name: name}
		for _, kind := range []string{gremlins, byHand} {
			if rest, is := strings.CutSuffix(name, " ("+kind+")"); is {
				s.kind, s.name = kind, rest
			}
		}
		if s.kind != byHand { // a mistake by hand has a name without its place
			s.name = pkg + "/" + s.name
		}
		all[pkg] = append(all[pkg], s)
	}
	return all
}

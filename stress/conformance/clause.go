//go:build linux

package conformance

import (
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"sharedbarrier/spec"
)

// A Clause is a place in a page of spec: a section, or a number of its list. Its
// text form, also in JSON, is "PROTOCOL.md, section 3, number 2".
type Clause struct {
	Page    string // PROTOCOL.md
	Section int
	Number  int // 0: the whole section
}

func protocol(section int, number ...int) Clause { return clause("PROTOCOL.md", section, number) }
func ports(section int) Clause                   { return clause("PORTS.md", section, nil) }
func hazards(section int) Clause                 { return clause("HAZARDS.md", section, nil) }

func clause(page string, section int, number []int) Clause {
	c := Clause{Page: page, Section: section}
	if len(number) > 0 {
		c.Number = number[0]
	}
	return c
}

func (c Clause) String() string {
	text := fmt.Sprintf("%s, section %d", c.Page, c.Section)
	if c.Number > 0 {
		text += fmt.Sprintf(", number %d", c.Number)
	}
	return text
}

// MarshalText returns the text form.
func (c Clause) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the text form.
func (c *Clause) UnmarshalText(text []byte) error {
	m := clauseForm.FindStringSubmatch(string(text))
	if m == nil {
		return fmt.Errorf("%q is no clause", text)
	}
	c.Page = m[1]
	c.Section, _ = strconv.Atoi(m[2])
	c.Number, _ = strconv.Atoi(m[3])
	return nil
}

var clauseForm = regexp.MustCompile(`^(\w+\.md), section (\d+)(?:, number (\d+))?$`)

// Short is the clause as a sign: §3.2, or PORTS §2 of another page than
// PROTOCOL.md.
func (c Clause) Short() string {
	text := fmt.Sprintf("§%d", c.Section)
	if c.Number > 0 {
		text += fmt.Sprintf(".%d", c.Number)
	}
	if name := strings.TrimSuffix(c.Page, ".md"); name != "PROTOCOL" {
		text = name + " " + text
	}
	return text
}

// Title is the title of the section.
func (c Clause) Title() string {
	title, _ := c.section()
	return title
}

// Anchor is the address of the section in its page.
func (c Clause) Anchor() string {
	words := regexp.MustCompile(`[^\w -]`).ReplaceAllString(strings.ToLower(c.Title()), "")
	return fmt.Sprintf("%s#%d-%s", c.Page, c.Section, strings.ReplaceAll(words, " ", "-"))
}

// Text is what the clause says, in Markdown. It is empty if there is no such
// clause.
func (c Clause) Text() string {
	_, text := c.section()
	if c.Number == 0 {
		return text
	}
	item := regexp.MustCompile(fmt.Sprintf(`(?m)^%d\. (?:.+\n(?:[ \t].*\n|\n[ \t].*\n)*)`, c.Number))
	return strings.TrimSpace(item.FindString(text + "\n"))
}

// section returns the title and the text of the section, without the marks of
// generated parts.
func (c Clause) section() (title, text string) {
	page, err := fs.ReadFile(spec.Pages, c.Page)
	if err != nil {
		return "", ""
	}
	_, rest, found := strings.Cut("\n"+string(page), fmt.Sprintf("\n## %d ", c.Section))
	if !found {
		return "", ""
	}
	title, text, _ = strings.Cut(rest, "\n")
	text, _, _ = strings.Cut(text, "\n## ")
	return title, strings.TrimSpace(marks.ReplaceAllString(text, ""))
}

var marks = regexp.MustCompile(`(?m)^<!-- .* -->\n`)

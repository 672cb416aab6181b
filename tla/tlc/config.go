package tlc

import (
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"sharedbarrier/spec"
)

// A Config is one question put to TLC: what a .cfg file of SharedBarrier says.
type Config struct {
	Name          string // file name without .cfg
	Procs         int    // N
	Rounds        int    // Rounds; 0: no bound
	Scenario      spec.Scenario
	Kept          bool // the control, whose callers keep the scenario's guarantee
	Specification string
	Invariants    []string
	Properties    []string // temporal
	text          string
}

// Asks lists what the configuration asks TLC to check.
func (c Config) Asks() []string { return append(append([]string{}, c.Invariants...), c.Properties...) }

// Liveness reports whether the question is one about whole behaviours.
func (c Config) Liveness() bool { return len(c.Properties) > 0 }

// ReadConfig reads the configuration of that name from the files.
func ReadConfig(files fs.FS, name string) (Config, error) {
	text, err := fs.ReadFile(files, name+".cfg")
	if err != nil {
		return Config{}, fmt.Errorf("no configuration %s: %w", name, err)
	}
	return ParseConfig(name, string(text))
}

var (
	cfgComment = regexp.MustCompile(`(?s)\\\*[^\n]*|\(\*.*?\*\)`)
	cfgToken   = regexp.MustCompile(`"[^"]*"|[A-Za-z_0-9]+|=`)
)

// ParseConfig reads the text of a .cfg file. It knows no more of the format
// than the files of this project use, and refuses the rest.
func ParseConfig(name, text string) (Config, error) {
	c := Config{Name: name, text: text}
	tokens := cfgToken.FindAllString(cfgComment.ReplaceAllString(text, ""), -1)
	section := ""
	for i := 0; i < len(tokens); i++ {
		var err error
		switch token := tokens[i]; token {
		case "CONSTANTS", "SPECIFICATION", "INVARIANTS", "INVARIANT", "PROPERTY", "CHECK_DEADLOCK":
			section = token
		default:
			switch section {
			case "CONSTANTS":
				if i+2 >= len(tokens) || tokens[i+1] != "=" {
					return c, fmt.Errorf("%s.cfg: CONSTANTS wants name = value at %q", name, token)
				}
				err = c.setConstant(token, tokens[i+2])
				i += 2
			case "SPECIFICATION":
				c.Specification = token
			case "INVARIANTS", "INVARIANT":
				c.Invariants = append(c.Invariants, token)
			case "PROPERTY":
				c.Properties = append(c.Properties, token)
			case "CHECK_DEADLOCK":
				if token != "FALSE" {
					err = fmt.Errorf("CHECK_DEADLOCK must be FALSE: ask for NoDeadlock, which knows giving up and resting")
				}
			default:
				err = fmt.Errorf("%q stands in no section", token)
			}
		}
		if err != nil {
			return c, fmt.Errorf("%s.cfg: %w", name, err)
		}
	}
	if c.Procs < 1 || c.Specification == "" {
		return c, fmt.Errorf("%s.cfg: wants constants and a specification", name)
	}
	return c, nil
}

func (c *Config) setConstant(name, value string) (err error) {
	switch name {
	case "N":
		c.Procs, err = strconv.Atoi(value)
	case "Rounds":
		c.Rounds, err = strconv.Atoi(value)
	case "Scenario":
		c.Scenario, err = spec.ParseScenario(strings.Trim(value, `"`))
	case "Kept":
		c.Kept = value == "TRUE"
	default:
		err = fmt.Errorf("SharedBarrier has no constant %s", name)
	}
	return err
}

var procsConstant = regexp.MustCompile(`(?m)^(\s*N\s*=\s*)\d+`)

// WithProcs returns the same question about n processes.
func (c Config) WithProcs(n int) Config {
	c.text = procsConstant.ReplaceAllString(c.text, "${1}"+strconv.Itoa(n))
	c.Name = fmt.Sprintf("%s-as-n%d", c.Name, n)
	c.Procs = n
	return c
}

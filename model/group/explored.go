package group

import (
	"fmt"
	"slices"
	"strings"
)

// An Exploration is a row of the table of configurations in GROUP.md. In each
// all properties hold.
type Exploration struct {
	Config
	Large bool // it takes up to minutes, and gigabytes
}

// Explored lists the rows.
var Explored = []Exploration{
	{Config: Config{Members: 1, Rounds: 2}},
	{Config: Config{Members: 2, Rounds: 2, Deaths: 1}},
	{Config: Config{Members: 2, Rounds: 2, Deaths: 1, GiveUps: true, Joins: true}},
	{Config: Config{Members: 2, Rounds: 1, Deaths: 1, Joins: true, Resets: true, Leaves: true}},
	{Config: Config{Members: 2, Rounds: 1, Deaths: 2, Joins: true}},
	{Config: Config{Members: 2, Rounds: 1, Deaths: 2, Joins: true, Leaves: true}},
	{Config: Config{Members: 1, Foreign: 1, Rounds: 2, Deaths: 1, Joins: true}},
	{Config: Config{Members: 3, Rounds: 1, Deaths: 1}},
	{Config: Config{Members: 2, Foreign: 1, Rounds: 2}},
	{Config: Config{Members: 2, Foreign: 1, Rounds: 1, Deaths: 1, Joins: true}},
	{Config: Config{Members: 1, Foreign: 2, Rounds: 2, Deaths: 1, Joins: true}},
	{Large: true, Config: Config{Members: 2, Rounds: 2, Deaths: 1, GiveUps: true, Joins: true, Resets: true, Leaves: true}},
	{Large: true, Config: Config{Members: 2, Rounds: 2, Deaths: 2, GiveUps: true, Joins: true}},
	{Large: true, Config: Config{Members: 2, Foreign: 1, Rounds: 2, Deaths: 1, GiveUps: true, Joins: true, Resets: true, Leaves: true}},
	{Large: true, Config: Config{Members: 2, Foreign: 1, Rounds: 1, Deaths: 2, Joins: true}},
	{Large: true, Config: Config{Members: 1, Foreign: 2, Rounds: 2, Deaths: 1, GiveUps: true, Joins: true, Resets: true, Leaves: true}},
	{Large: true, Config: Config{Members: 3, Rounds: 2, Deaths: 1, GiveUps: true, Joins: true}},
	{Large: true, Config: Config{Members: 4, Rounds: 1, GiveUps: true}},
	{Large: true, Config: Config{Members: 4, Rounds: 1, Deaths: 1}},
	{Large: true, Config: Config{Members: 3, Foreign: 1, Rounds: 1, Deaths: 1, Joins: true}},
	{Large: true, Config: Config{Members: 2, Foreign: 2, Rounds: 1, Deaths: 1, Joins: true}},
	{Large: true, Config: Config{Members: 2, Foreign: 2, Rounds: 2}},
	{Large: true, Config: Config{Members: 1, Foreign: 3, Rounds: 2, Deaths: 1, GiveUps: true, Joins: true, Resets: true, Leaves: true}},
}

// choices are what may happen besides deaths, by name.
var choices = []struct {
	name string
	of   func(*Config) *bool
}{
	{"give-up", func(cfg *Config) *bool { return &cfg.GiveUps }},
	{"join", func(cfg *Config) *bool { return &cfg.Joins }},
	{"reset", func(cfg *Config) *bool { return &cfg.Resets }},
	{"leave", func(cfg *Config) *bool { return &cfg.Leaves }},
}

// Choices lists the names of what may happen besides deaths.
func Choices() (names []string) {
	for _, c := range choices {
		names = append(names, c.name)
	}
	return names
}

// May lists the names of what may happen in cfg besides deaths.
func (cfg Config) May() []string {
	names := []string{}
	for _, c := range choices {
		if *c.of(&cfg) {
			names = append(names, c.name)
		}
	}
	return names
}

// Allow lets what is named happen in cfg.
func (cfg *Config) Allow(name string) error {
	i := slices.Index(Choices(), name)
	if i < 0 {
		return fmt.Errorf("a group knows no %q: give some of %s", name, strings.Join(Choices(), ", "))
	}
	*choices[i].of(cfg) = true
	return nil
}

// Parties returns members and foreign parties in the form 2+1.
func (cfg Config) Parties() string { return fmt.Sprintf("%d+%d", cfg.Members, cfg.Foreign) }

// MutantNamed returns the mutant with the name, or nil.
func MutantNamed(name string) *Mutant {
	for i := range Mutants {
		if Mutants[i].Name == name {
			return &Mutants[i]
		}
	}
	return nil
}

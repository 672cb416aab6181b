//go:build linux

package port

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"sharedbarrier/model/cli/procgroup"
)

// Strays describes the processes that the port had started, that had left its
// process group, and that its end has killed. The port must have ended.
func (p *Port) Strays() (list []string) {
	for _, s := range p.strays {
		list = append(list, s.String())
	}
	return list
}

// all describes the strays of all ports of this process.
var all struct {
	sync.Mutex
	list []string
}

func record(name string, strays []procgroup.Stray) {
	all.Lock()
	defer all.Unlock()
	for _, s := range strays {
		all.list = append(all.list, fmt.Sprintf("%v of port %.80s", s, name))
	}
}

// Strays describes the strays of all ports of this process that have ended.
func Strays() []string {
	all.Lock()
	defer all.Unlock()
	return slices.Clone(all.list)
}

// Ended is a line about strays; empty if there are none.
func Ended(strays []string) string {
	const most = 8
	shown := strings.Join(strays[:min(most, len(strays))], ", ")
	switch {
	case len(strays) == 0:
		return ""
	case len(strays) > most:
		shown += fmt.Sprintf(", and %d more", len(strays)-most)
	}
	return fmt.Sprintf("Ended, as they had left the process group of their port: %s.\n", shown)
}

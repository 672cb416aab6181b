//go:build linux

package conformance

import "maps"

const (
	truncates = "known: its filelock truncates the lock file"
	creates   = "known: its filelock opens the lock file with O_CREAT"
	unlinks   = "known: its filelock unlinks the lock file on each release"
	noCount   = "known: its filelock does not look at the link count"
)

// known are the checks that ports of this project do not pass, with the reason:
// the published original is as it is. Run does not ask for them.
var known = map[string]map[string]string{
	"python":           {"lock open": creates, "lock contents": truncates},
	"python@unlinking": {"lock open": creates, "lock contents": truncates, "lock stays": unlinks},
	"python@old":       {"lock contents": truncates, "lock unlinked": noCount, "unlinking peer": noCount},
}

// leftOut returns the checks that are not made, with the reason.
func (o Options) leftOut() map[string]string {
	out := maps.Clone(known[o.Port])
	if out == nil {
		out = map[string]string{}
	}
	for _, check := range o.Without {
		out[check] = "left out"
	}
	return out
}

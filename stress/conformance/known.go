//go:build linux

package conformance

const (
	truncates = "its filelock truncates the lock file"
	creates   = "its filelock opens the lock file with O_CREAT"
	unlinks   = "its filelock unlinks the lock file on each release"
	noCount   = "its filelock does not look at the link count"
)

// known are the checks that ports of this project do not pass, with the reason:
// the published original is as it is. Run does not ask for them.
var known = map[string]map[string]string{
	"python":           {"lock open": creates, "lock contents": truncates},
	"python@unlinking": {"lock open": creates, "lock contents": truncates, "lock stays": unlinks},
	"python@old":       {"lock contents": truncates, "lock unlinked": noCount, "unlinking peer": noCount},
}

// leftOut returns the checks that are not made, with the reason.
func (o Options) leftOut() map[string]notAsked {
	out := map[string]notAsked{}
	for check, why := range known[o.Port] {
		out[check] = notAsked{Deviation, why}
	}
	for _, check := range o.Without {
		out[check] = notAsked{LeftOut, "left out"}
	}
	return out
}

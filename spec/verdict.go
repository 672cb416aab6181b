package spec

// A Verdict is how a run of a checker or of the stress test ended.
type Verdict string

// The verdicts. Verified is said by exhaustive engines only, Passed by those
// that run the real thing.
const (
	Verified   Verdict = "verified"
	Passed     Verdict = "passed"
	Violated   Verdict = "violated"
	Hang       Verdict = "hang"
	Unfinished Verdict = "unfinished"
)

// The exit codes of every command.
const (
	ExitOK          = 0
	ExitUsage       = 2   // usage or environment; one line on stderr says what to do
	ExitHang        = 11  // hang or deadlock
	ExitSafety      = 12  // a safety property is violated
	ExitLiveness    = 13  // a liveness property is violated
	ExitUnfinished  = 75  // a limit was reached: never reported as verified
	ExitInterrupted = 130 // interrupted; the partial result was kept
)

// ExitCode returns the exit code of a command whose run ended with v; p is the
// violated property and counts only when v is Violated.
func ExitCode(v Verdict, p Property) int {
	switch v {
	case Verified, Passed:
		return ExitOK
	case Hang:
		return ExitHang
	case Violated:
		if p.Kind() == Liveness {
			return ExitLiveness
		}
		return ExitSafety
	default:
		return ExitUnfinished
	}
}

package spec

// A Verdict is the result of a checker or of a run of real processes.
type Verdict string

// The verdicts.
const (
	Verified   Verdict = "verified"   // the properties hold in every behaviour
	Passed     Verdict = "passed"     // the run of real processes shows no failure
	Violated   Verdict = "violated"   // a property fails
	Hang       Verdict = "hang"       // a call does not return
	Unfinished Verdict = "unfinished" // a limit was reached, or the run was interrupted
)

// The exit codes of every command.
const (
	ExitOK          = 0   // verified or passed
	ExitUsage       = 2   // wrong usage or environment; stderr says in one line what to do
	ExitHang        = 11  // a hang or a deadlock
	ExitSafety      = 12  // a safety property is violated
	ExitLiveness    = 13  // a liveness property is violated
	ExitUnfinished  = 75  // a limit was reached
	ExitInterrupted = 130 // interrupted; the partial result is kept
)

// ExitCode returns the exit code for verdict v. Property p is the one that is
// violated; it matters only if v is Violated.
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

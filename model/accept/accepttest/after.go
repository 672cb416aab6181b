package accepttest

import "sharedbarrier/spec"

// After returns what step s of a call with so many parties makes of the words
// (PROTOCOL.md, sections 4 to 6). It does not ask the model, so that a test can
// compare what is real with both.
func After(s spec.Step, w spec.Words, parties int) spec.Words {
	switch s {
	case spec.InitExit:
		if w.Exit == spec.NotSet {
			w.Exit = int32(parties)
		}
	case spec.LowerFlag:
		w.Flag = spec.Down
	case spec.CountEnter:
		w.Enter++
	case spec.ResetEnter:
		w.Enter = 0
	case spec.ResetExit:
		w.Exit = 0
	case spec.RaiseFlag:
		w.Flag = spec.Up
	case spec.CountExit:
		w.Exit++
	case spec.ClearExit:
		w.Exit = spec.NotSet
	case spec.UncountEnter:
		w.Enter--
	}
	return w
}

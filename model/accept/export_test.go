package accept

// InOrder reports whether the numbers of the first events are in order.
func InOrder(t *Trace, events int) bool {
	c := newChecker(t, events)
	for i := range events {
		if c.inOrder(i) != nil {
			return false
		}
	}
	return true
}

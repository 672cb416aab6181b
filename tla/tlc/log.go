package tlc

import (
	"bytes"
	"sync"
)

// tee collects what several streams of a program print, a write at a time.
type tee struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (t *tee) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buffer.Write(p)
}

func (t *tee) Bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.buffer.Bytes())
}

func (t *tee) String() string { return string(t.Bytes()) }

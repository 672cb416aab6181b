// Package browsertest opens a page in Chromium for a test and judges it: script
// errors, requests to a network, names for screen readers, and contrast.
package browsertest

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"sharedbarrier/model/cli/toolcache"
)

const errNoChromium toolcache.Missing = "chromium is missing or does not work; install Debian's package chromium"

// A Page is a page that is open in a tab of its own.
type Page struct {
	t   testing.TB
	ctx context.Context

	mu     sync.Mutex // guards faults
	faults []string   // script errors, and requests for anything but a file
}

// Start starts a browser that ends with the test. The test is skipped without
// Chromium, or fails in strict mode (toolcache.Require). Each call of open opens
// the page at an address in a new tab of width times height.
func Start(t testing.TB, width, height int) (open func(address string) *Page) {
	t.Helper()
	path, _, err := toolcache.Ask(t.Context(), errNoChromium, "chromium", "--version")
	toolcache.Require(t, err)
	folder := t.TempDir()
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(width, height),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.UserDataDir(filepath.Join(folder, "user")),
		chromedp.Env("TMPDIR="+folder, "HOME="+folder), chromedp.WSURLReadTimeout(5*time.Minute))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() {
		chromedp.Cancel(ctx) // waits until the browser has ended
		cancel()
		awaitHelpers(folder) // else the folder may not be empty when it is removed
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return func(address string) *Page {
		t.Helper()
		p := &Page{t: t}
		p.ctx, cancel = chromedp.NewContext(ctx, chromedp.WithListener(p.listen))
		t.Cleanup(cancel)
		call(p, log.Enable, cdp.Empty{})
		call(p, network.Enable, network.EnableParams{})
		p.do(chromedp.Navigate(address))
		return p
	}
}

// awaitHelpers waits until the processes have ended whose temporary folder this
// is: the helpers of a browser outlive it for a moment, and write files.
func awaitHelpers(folder string) {
	running := func() bool {
		paths, _ := filepath.Glob("/proc/[0-9]*/environ")
		return slices.ContainsFunc(paths, func(path string) bool {
			environment, _ := os.ReadFile(path) // its process may have ended
			return bytes.Contains(environment, []byte("TMPDIR="+folder+"\x00"))
		})
	}
	for running() {
		time.Sleep(10 * time.Millisecond)
	}
}

// Short skips a test with -short: a browser takes seconds.
func Short(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes seconds")
	}
}

// File writes the page to a file of the test and returns its address.
func File(t testing.TB, html string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, []byte(html), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

func (p *Page) listen(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if thrown := e.ExceptionDetails.Exception; thrown != nil {
			text += " " + thrown.Description
		}
		p.fault("script error: %s", text)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			p.fault("error in the log: %s", e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		if address := e.Request.URL; !strings.HasPrefix(address, "file:") && !strings.HasPrefix(address, "data:") {
			p.fault("request for %s", address)
		}
	}
}

func (p *Page) fault(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

// do does the action, and ends the test if it fails.
func (p *Page) do(action chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, action); err != nil {
		p.t.Fatalf("in the browser: %v", err)
	}
}

// call returns the result of a command of the protocol.
func call[P, R any](p *Page, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	result, err := chromedp.Call(p.ctx, command, params)
	if err != nil {
		p.t.Fatalf("in the browser: %v", err)
	}
	return result
}

// Eval returns the value of an expression, or of the promise that it is.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("in the browser: %s: %v", expression, err)
	}
	return value
}

// Await blocks until the expression is true.
func (p *Page) Await(expression string) {
	p.t.Helper()
	p.do(chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingTimeout(0)))
}

// Press types keys, as the package kb of chromedp has them, wherever the focus
// is.
func (p *Page) Press(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		p.do(chromedp.KeyEvent(key))
	}
}

// Click clicks on the first element of the selector.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

// Drag moves the mouse from the middle of the first element of the selector by
// so many pixels, with the left button down.
func (p *Page) Drag(selector string, right, down float64) {
	p.t.Helper()
	at := Eval[[]float64](p, fmt.Sprintf(`(() => { const b = document.querySelector(%q).getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2] })()`, selector))
	for _, step := range []struct {
		what  input.DispatchMouseEventType
		right float64
		down  float64
	}{{input.DispatchMouseEventTypeMousePressed, 0, 0}, {input.DispatchMouseEventTypeMouseMoved, right, down}, {input.DispatchMouseEventTypeMouseReleased, right, down}} {
		p.do(chromedp.MouseEvent(step.what, at[0]+step.right, at[1]+step.down, chromedp.ButtonType(input.MouseButtonLeft)))
	}
}

// Theme has the page see a user who wants the scheme, light or dark.
func (p *Page) Theme(scheme string) {
	p.t.Helper()
	wanted := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: scheme}
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{wanted}})
}

// Print has the page see a printer.
func (p *Page) Print() {
	p.t.Helper()
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
}

// Picture returns the window as PNG.
func (p *Page) Picture() []byte {
	p.t.Helper()
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatalf("in the browser: %v", err)
	}
	return png
}

// Faults returns what went wrong since the page was opened: script errors and
// requests for anything but a file.
func (p *Page) Faults() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.faults)
}

// roles are those of elements that need a name.
var roles = []string{"button", "combobox", "textbox", "checkbox", "slider", "link", "image", "img", "region", "table"}

// Faultless fails the test if the page has Faults.
func (p *Page) Faultless() {
	p.t.Helper()
	if faults := p.Faults(); len(faults) > 0 {
		p.t.Errorf("faults of the page: got %q, want none", faults)
	}
}

// Nameless returns the elements that a screen reader finds but cannot name.
func (p *Page) Nameless() (list []string) {
	p.t.Helper()
	for _, n := range call(p, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes {
		if role := text(n.Role); !n.Ignored && slices.Contains(roles, role) && text(n.Name) == "" {
			list = append(list, fmt.Sprintf("%s %v", role, n.BackendDOMNodeID))
		}
	}
	return list
}

// text returns the string that a value of the accessibility tree is.
func text(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	return strings.Trim(string(v.Value), `" `)
}

//go:embed contrast.js
var contrast string

// Faint returns the texts whose contrast is below what WCAG 2.2 AA asks for:
// 4.5, or 3 if the text is large.
func (p *Page) Faint() []string {
	p.t.Helper()
	return Eval[[]string](p, contrast)
}

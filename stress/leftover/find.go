//go:build linux

package leftover

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sharedbarrier/spec"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/scratch"
)

// A Kind is a kind of leftover.
type Kind string

// The kinds, in the order of the report.
const (
	OfRun       Kind = "run"       // of a command of this project: its mark, segment and directory
	WorkDir     Kind = "directory" // of a command of this project without a segment, or of a tool in the making
	OfCreate    Kind = "creation"  // the segment of a Create of package impl that was killed
	OfBarrier   Kind = "barrier"   // of a job: its segment, its lock file, its group, or some of them
	OfGroup     Kind = "group"     // of package group: the group, and the segment of its barrier
	SegmentLike Kind = "look-alike"
)

func (k Kind) compare(other Kind) int {
	order := []Kind{OfRun, WorkDir, OfCreate, OfBarrier, OfGroup, SegmentLike}
	return slices.Index(order, k) - slices.Index(order, other)
}

// The folder of the segments.
const shm = "/dev/shm"

// The names that this project and MosaicML Streaming give. What a Clean that
// was killed has renamed has the ending of parked, too.
var (
	runName      = regexp.MustCompile(`^(sharedbarrier-([a-z]+)-([0-9]+)-[0-9a-f]{16})(\.segment.*|` + parkedEnding + `)?$`)
	workDirName  = regexp.MustCompile(`^sharedbarrier-([a-z]+)-[0-9a-f]{16}(` + parkedEnding + `)?$`)
	makingName   = regexp.MustCompile(`^\.making-[0-9a-f]{16}(` + parkedEnding + `)?$`)
	creationName = regexp.MustCompile(`^\.sharedbarrier-[0-9a-f]{16}(` + parkedEnding + `)?$`)
	streaming    = regexp.MustCompile(`^([0-9]{6,}_barrier)(_filelock|\.group)?(` + parkedEnding + `)?$`)
	groupName    = regexp.MustCompile(`^(.+)\.group(` + parkedEnding + `)?$`)
)

const parkedEnding = `\.removing-[0-9a-f]{16}`

// find returns what may be a leftover. It opens nothing yet.
func (o Options) find() ([]*candidate, error) {
	if o.Segment != "" || o.LockPath != "" {
		return o.named()
	}
	type found struct {
		folder string
		os.DirEntry
	}
	var entries []found
	for _, folder := range append([]string{shm}, temporary()...) {
		list, err := os.ReadDir(folder)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, e := range list {
			entries = append(entries, found{folder, e})
		}
	}
	f := &finder{byName: map[string]*candidate{}}
	for _, name := range scratch.Runs() { // after the lists: a run makes its mark first
		f.run(name)
	}
	for _, e := range entries {
		f.entry(e.folder, e.DirEntry)
	}
	f.inCache()
	return f.list, nil
}

// temporary returns the folders for temporary files: where Go and Python put
// those of this process, and of one without TMPDIR.
func temporary() []string {
	folders := []string{os.TempDir()}
	if a, err := os.Stat(folders[0]); err == nil {
		if b, err := os.Stat("/tmp"); err == nil && !os.SameFile(a, b) {
			folders = append(folders, "/tmp")
		}
	}
	return folders
}

// named returns the barrier that the user names.
func (o Options) named() ([]*candidate, error) {
	path := inspect.Target{Segment: o.Segment}.SegmentPath()
	c := &candidate{kind: OfBarrier, of: "named", segment: filepath.Base(path), named: true}
	c.add(segmentEntry, path)
	c.add(groupEntry, path+spec.GroupSuffix)
	c.add(lockEntry, o.LockPath)
	for _, e := range c.entries {
		if _, err := os.Lstat(e.path); err == nil {
			return []*candidate{c}, nil
		}
	}
	return nil, fmt.Errorf("there is nothing at %s and %s; ls /dev/shm lists the segments", path, o.LockPath)
}

// A finder collects candidates.
type finder struct {
	list   []*candidate
	byName map[string]*candidate // by the name of a run, or of a segment of Streaming
}

// get returns the candidate with the name, and makes it if it is new.
func (f *finder) get(name string, fresh candidate) *candidate {
	c := f.byName[name]
	if c == nil {
		c = &fresh
		f.byName[name] = c
		f.list = append(f.list, c)
	}
	return c
}

// run adds a run that has a mark. The claim adds its directory.
func (f *finder) run(name string) {
	c := f.get(name, candidate{kind: OfRun, of: ofRun(name), run: name})
	c.add(markEntry, filepath.Join(shm, name+".mark"))
}

func ofRun(name string) string {
	m := runName.FindStringSubmatch(name)
	return fmt.Sprintf("%s, process %s", m[2], m[3])
}

// unmarked returns the candidate of a run whose name is in m. Without a mark
// its maker is unknown: it may be in a container that shares this folder only.
func (f *finder) unmarked(m []string) *candidate {
	return f.get(m[1], candidate{kind: OfRun, of: ofRun(m[1]), aged: true})
}

// entry adds what has a name in a folder, if it may be a leftover.
func (f *finder) entry(folder string, e os.DirEntry) {
	path, inShm := filepath.Join(folder, e.Name()), folder == shm
	switch m := e.Name(); {
	case runName.MatchString(m) && (inShm || e.IsDir()):
		f.unmarked(runName.FindStringSubmatch(m)).add(runEntry, path)
	case workDirName.MatchString(m) && e.IsDir():
		f.directory(workDirName.FindStringSubmatch(m)[1], path)
	case e.IsDir():
	case streaming.MatchString(m) && (inShm || strings.Contains(m, "_filelock")):
		f.ofStreaming(path)
	case creationName.MatchString(m) && inShm:
		f.single(OfCreate, "package impl", path)
	case groupName.MatchString(m) && inShm:
		f.group(groupName.FindStringSubmatch(m)[1], path)
	case inShm:
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.Size() == spec.Size {
			f.single(SegmentLike, "unknown", path)
		}
	}
}

func (f *finder) single(kind Kind, of, path string) {
	c := f.get(path, candidate{kind: kind, of: of, segment: filepath.Base(path)})
	c.add(segmentEntry, path)
}

// group adds the segment of a group to that of its barrier, if that is there.
// The segment goes first: a group without one is taken over by the next job.
func (f *finder) group(barrier, path string) {
	segment := filepath.Join(shm, barrier)
	c := f.get(segment, candidate{segment: barrier})
	c.kind, c.of, c.aged = OfGroup, "package group", true
	c.add(segmentEntry, segment)
	c.add(groupEntry, path)
}

// ofStreaming adds a segment of MosaicML Streaming, a group or a lock file.
func (f *finder) ofStreaming(path string) {
	m := streaming.FindStringSubmatch(filepath.Base(path))
	c := f.get(m[1]+m[3], candidate{kind: OfBarrier, of: "MosaicML Streaming", segment: m[1], aged: true})
	switch m[2] {
	case "":
		c.add(segmentEntry, path)
	case spec.GroupSuffix:
		c.add(groupEntry, path)
	default:
		c.add(lockEntry, path)
	}
}

// directory adds a directory of package workdir.
func (f *finder) directory(of, path string) {
	c := f.get(path, candidate{kind: WorkDir, of: of, workDir: path})
	c.add(runEntry, path)
}

// inCache adds what is in the making in the tool cache.
func (f *finder) inCache() {
	cache, err := os.UserCacheDir()
	if err != nil {
		return // there can be nothing
	}
	folder := filepath.Join(cache, "sharedbarrier")
	entries, _ := os.ReadDir(folder) // none: no tool was made yet
	for _, e := range entries {
		if e.IsDir() && makingName.MatchString(e.Name()) {
			f.directory("a tool in the making", filepath.Join(folder, e.Name()))
		}
	}
}

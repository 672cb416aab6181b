package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// WriteFile writes the file that a flag names: whole, or not at all. What was
// at the path before is there until the new content is complete.
//
// A regular file is replaced by a rename and keeps its mode. A symbolic link
// stays, and its target is written in the same way. Into anything else, such
// as a pipe or a device, WriteFile writes and removes nothing; opening a pipe
// blocks until it has a reader. It fails with the error of write or of the
// system, and then leaves the path as it was.
func WriteFile(path string, write func(io.Writer) error) error {
	path, err := target(path)
	if err != nil {
		return err
	}
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return replace(path, nil, write)
	case err != nil:
		return err
	case info.Mode().IsRegular():
		return replace(path, info, write)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return fill(file, write)
}

// target returns the path without symbolic links at its end. The last may lead
// to a file that is still missing.
func target(path string) (string, error) {
	for range 40 { // as many as Linux follows
		to, err := os.Readlink(path)
		if err != nil {
			return path, nil // no link, or what the caller meets as well
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return "", &fs.PathError{Op: "open", Path: path, Err: errors.New("too many symbolic links")}
}

// replace writes a new file beside path and gives it the name path. It takes
// the mode of the old file, if there is one.
func replace(path string, old fs.FileInfo, write func(io.Writer) error) error {
	beside := fmt.Sprintf("%s.%016x", path, rand.Uint64())
	file, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	if old != nil {
		err = file.Chmod(old.Mode().Perm())
	}
	if err = errors.Join(err, fill(file, write)); err == nil {
		err = os.Rename(beside, path)
	}
	if err != nil {
		os.Remove(beside)
	}
	return err
}

// fill writes the file and closes it.
func fill(file *os.File, write func(io.Writer) error) error {
	buffer := bufio.NewWriter(file)
	err := write(buffer)
	if err == nil { // else Flush may fail with the same
		err = buffer.Flush()
	}
	return errors.Join(err, file.Close())
}

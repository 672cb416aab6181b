package tlc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// ErrNoJava says that there is no Java to run TLC with, or one too old.
var ErrNoJava = errors.New("no Java 11 or newer")

// oldestJava is the first version that TLC 2.18 runs on.
const oldestJava = 11

var javaVersion = regexp.MustCompile(`version "(\d+)(?:\.(\d+))?`)

// findJava returns the path of a Java of version 11 or newer: that of
// JAVA_HOME if it is set, else that of the PATH. The error wraps ErrNoJava.
func findJava(ctx context.Context) (string, error) {
	name := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		name = filepath.Join(home, "bin", "java")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w: %s is missing: install a JRE (Debian: default-jre-headless)", ErrNoJava, name)
	}
	output, err := exec.CommandContext(ctx, path, "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s -version fails: %w", ErrNoJava, path, err)
	}
	if major := majorVersion(string(output)); major < oldestJava {
		return "", fmt.Errorf("%w: %s is version %d: install a newer JRE (Debian: default-jre-headless)", ErrNoJava, path, major)
	}
	return path, nil
}

// majorVersion reads what java -version prints: 17 from "17.0.15", and 8 from
// "1.8.0_402", as Java was numbered up to 8. It returns 0 for anything else.
func majorVersion(output string) int {
	match := javaVersion.FindStringSubmatch(output)
	if match == nil {
		return 0
	}
	major, _ := strconv.Atoi(match[1])
	if major == 1 {
		major, _ = strconv.Atoi(match[2])
	}
	return major
}

package services

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

//go:embed kafka/pom.xml
var kafkaPOM []byte

// javaNeeded is the oldest Java that a Kafka 4 broker runs on.
const javaNeeded = 17

var (
	kafkaVersionIn = regexp.MustCompile(`<kafka\.version>([0-9.]+)</kafka\.version>`)
	javaVersionIn  = regexp.MustCompile(`version "(\d+)`)
)

// KafkaVersion is the release of Apache Kafka that StartKafka runs.
func KafkaVersion() string { return string(kafkaVersionIn.FindSubmatch(kafkaPOM)[1]) }

// findJava is a Java that is new enough: $JAVA_HOME's, else the one on the path.
func findJava(ctx context.Context) (string, error) {
	java := filepath.Join(os.Getenv("JAVA_HOME"), "bin", "java")
	if _, err := os.Stat(java); os.Getenv("JAVA_HOME") == "" || err != nil {
		if java, err = exec.LookPath("java"); err != nil {
			return "", unavailable("Kafka", "there is no Java; install one (Debian: apt-get install default-jre-headless maven)")
		}
	}
	out, err := exec.CommandContext(ctx, java, "-version").CombinedOutput()
	if err != nil {
		return "", unavailable("Kafka", "%s does not run: %v", java, err)
	}
	found := javaVersionIn.FindSubmatch(out)
	if found == nil {
		return "", unavailable("Kafka", "%s does not tell its version", java)
	}
	if n, err := strconv.Atoi(string(found[1])); err != nil || n < javaNeeded {
		return "", unavailable("Kafka", "%s is Java %s, and it needs %d or newer", java, found[1], javaNeeded)
	}
	return java, nil
}

// kafkaJars is the directory of the broker's jars, which Maven fetches into the
// cache the first time.
func kafkaJars(ctx context.Context, logf func(string, ...any)) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	final := filepath.Join(cache, "kafka-"+KafkaVersion())
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", unavailable("Kafka", "its jars are not in %s, and there is no Maven to fetch them with (Debian: apt-get install maven)", cache)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("create the cache: %w", err)
	}
	unlock, err := lockCache(ctx, cache)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(final); err == nil { // another process was quicker
		return final, nil
	}
	logf("fetching Kafka %s into %s, once", KafkaVersion(), cache)
	work, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return "", fmt.Errorf("create a directory in the cache: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := os.WriteFile(filepath.Join(work, "pom.xml"), kafkaPOM, 0o600); err != nil {
		return "", fmt.Errorf("write the list of jars: %w", err)
	}
	jars := filepath.Join(work, "jars")
	cmd := exec.CommandContext(ctx, mvn, "--batch-mode", "--quiet", "-Dstyle.color=never",
		"dependency:copy-dependencies", "-DoutputDirectory="+jars)
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("fetch Kafka's jars: %w", context.Cause(ctx))
		}
		return "", unavailable("Kafka", "Maven could not fetch its jars (%v): %s", err, firstLine(out))
	}
	if found, _ := filepath.Glob(filepath.Join(jars, "kafka_*.jar")); len(found) == 0 {
		return "", errors.New("fetch Kafka's jars: Maven ended well and left no broker")
	}
	if err := os.Rename(jars, final); err != nil {
		return "", fmt.Errorf("put Kafka's jars in place: %w", err)
	}
	return final, nil
}

// firstLine is the first line of a program's output that says something.
func firstLine(out []byte) string {
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return "it said nothing"
}

package trial

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"tillgate/bench/report"
)

// machine tells where it runs. What the system does not tell stays a dash: the
// figures of /proc are Linux's.
func machine() report.Machine {
	m := report.Machine{
		CPU: procValue("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), Memory: "–",
		Kernel: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Load: "–",
	}
	if kb, err := strconv.ParseInt(strings.TrimSuffix(procValue("/proc/meminfo", "MemTotal"), " kB"), 10, 64); err == nil {
		m.Memory = fmt.Sprintf("%.1f GiB", float64(kb)/(1<<20))
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = "Linux " + strings.TrimSpace(string(release)) + " " + runtime.GOARCH
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(load), " ")
	}
	return m
}

// procValue is what stands after a name and a colon in a file of /proc.
func procValue(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "–"
	}
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		if key, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "–"
}

// processorTime is what all processors have been through since the system's
// start, and what of it the host of a virtual machine gave to others while
// somebody here wanted it; zeros where that can't be learned.
func processorTime() (all, stolen time.Duration) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	return readProcessorTime(string(stat))
}

// readProcessorTime reads the first line of /proc/stat: cpu, then user, nice,
// system, idle, iowait, irq, softirq and steal.
func readProcessorTime(stat string) (all, stolen time.Duration) {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, 0
	}
	for _, f := range fields[1:9] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, 0
		}
		stolen = time.Duration(n) * time.Second / ticks
		all += stolen
	}
	return all, stolen
}

// ticks is how many there are in a second of /proc/stat and /proc/PID/stat: the kernel's
// USER_HZ, which is 100 on everything that Go runs on.
const ticks = 100

// cpu is the processor time that a process has used, 0 where that can't be
// learned.
func cpu(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The second field is the name in brackets, which may hold anything;
	// fields 14 and 15 are user and system time.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0
	}
	var sum int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0
		}
		sum += n
	}
	return time.Duration(sum) * time.Second / ticks
}

// peakMemory is the most memory that a process has had, memory what it has, in
// MiB; 0 where that can't be learned.
func peakMemory(pid int) float64 { return memoryAs(pid, "VmHWM") }

func memory(pid int) float64 { return memoryAs(pid, "VmRSS") }

func memoryAs(pid int, name string) float64 {
	kb, err := strconv.ParseInt(strings.TrimSuffix(procValue(fmt.Sprintf("/proc/%d/status", pid), name), " kB"), 10, 64)
	if err != nil {
		return 0
	}
	return float64(kb) / 1024
}

// diskUse is the size of all files below dir. Files that vanish meanwhile,
// because a compaction has ended, don't count.
func diskUse(dir string) (bytes int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreMissing(err)
		}
		info, err := d.Info()
		if err != nil {
			return ignoreMissing(err)
		}
		bytes += info.Size()
		return nil
	})
	return bytes, err
}

func ignoreMissing(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

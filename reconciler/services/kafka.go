package services

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"

	"github.com/segmentio/kafka-go"
)

//go:embed kafka/server.properties
var kafkaProperties string

//go:embed kafka/log4j2.properties
var kafkaLogging []byte

// kafkaAttempts bounds the starts of one StartKafka: a port may be taken between
// the look and the use.
const kafkaAttempts = 5

// KafkaOptions says how StartKafka runs the broker. The zero value is usable.
type KafkaOptions struct {
	// Heap is the Java heap as -Xmx takes it; empty means 512m, which carries a
	// few hundred partitions.
	Heap string
	// Advertise is the host and port that the broker tells its clients to come
	// to; empty means its own. A test puts a proxy there.
	Advertise string
	// Logf receives what a person should know, such as a long fetch; nil drops it.
	Logf func(format string, args ...any)
}

// Kafka is an Apache Kafka node that belongs to this process. Its methods are
// for one goroutine at a time; Address may be called from any.
type Kafka struct {
	options KafkaOptions
	java    string
	jars    string // the directory of its jars
	dir     string // holds everything: data, settings, log
	ports   kafkaPorts
	process *process
	lock    dirLock
}

// kafkaPorts are kept in the directory: the node finds its own controller by
// the port that its data holds.
type kafkaPorts struct{ Port, ControllerPort int }

// StartKafka starts a Kafka 4 node (KRaft, broker and controller in one) in dir,
// which it creates if need be, on free loopback ports, and returns when it
// answers a metadata request. Data found in dir is used again. Topics are not
// made by being named. ctx bounds the start, not the broker's life.
//
// It fails with ErrUnavailable where there is no Java 17, or no jars and no
// Maven to get them with.
func StartKafka(ctx context.Context, dir string, options KafkaOptions) (*Kafka, error) {
	if options.Logf == nil {
		options.Logf = func(string, ...any) {}
	}
	if options.Heap == "" {
		options.Heap = "512m"
	}
	k := &Kafka{options: options}
	var err error
	if k.java, err = findJava(ctx); err != nil {
		return nil, err
	}
	// The first fetch is as slow as the network: the limit is for the start.
	if k.jars, err = kafkaJars(ctx, options.Logf); err != nil {
		return nil, err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	if k.dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("find the broker's directory: %w", err)
	}
	if err := os.MkdirAll(k.dir, 0o755); err != nil {
		return nil, fmt.Errorf("create the broker's directory: %w", err)
	}
	k.lock.dir = k.dir
	if err := k.lock.take(); err != nil {
		return nil, err
	}
	if err := k.start(ctx); err != nil {
		k.lock.release()
		return nil, err
	}
	return k, nil
}

// Address is the host and port of its bootstrap; the same through its life.
func (k *Kafka) Address() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(k.ports.Port))
}

// PID is the broker's process id.
func (k *Kafka) PID() int { return k.process.pid }

// Done is closed when the running broker ends, in whatever way.
func (k *Kafka) Done() <-chan struct{} { return k.process.done }

// Stop ends the broker in order and frees the directory. When ctx ends first, or
// after half a minute, it is killed, which is returned as an error. A broker that
// has ended already is no error.
func (k *Kafka) Stop(ctx context.Context) error {
	defer k.lock.release()
	return k.process.stop(ctx, syscall.SIGTERM, stopGrace)
}

// Kill ends the broker at once with SIGKILL, as a crash would. Restart or Stop
// follows.
func (k *Kafka) Kill() { k.process.kill() }

// Restart starts the broker again on the same ports and data, whether it was
// stopped or killed; one that still runs is stopped in order first. After a kill
// it takes some seconds: the broker's old session has to end.
func (k *Kafka) Restart(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := k.process.stop(ctx, syscall.SIGTERM, stopGrace); err != nil {
		return err
	}
	if err := k.lock.take(); err != nil {
		return err
	}
	return k.attempt(ctx)
}

func (k *Kafka) path(name string) string { return filepath.Join(k.dir, name) }

// start ends what an earlier process left, formats the data where it is new and
// runs the broker until it answers.
func (k *Kafka) start(ctx context.Context) error {
	// A stranger's pid needs nothing: the broker keeps no pid file of its own.
	if _, err := endOrphan(ctx, k.path("pid"), k.dir); err != nil {
		return err
	}
	if err := os.WriteFile(k.path("log4j2.properties"), kafkaLogging, 0o600); err != nil {
		return fmt.Errorf("write the broker's logging settings: %w", err)
	}
	for attempts := kafkaAttempts; ; attempts-- {
		if err := k.configure(); err != nil {
			return err
		}
		if err := k.format(ctx); err != nil {
			return err
		}
		from := logSize(k.path("log"))
		err := k.attempt(ctx)
		if err == nil {
			return nil
		}
		taken := strings.Contains(tail(k.path("log"), from), "Address already in use")
		if attempts <= 1 || !taken || ctx.Err() != nil {
			return err
		}
	}
}

// configure chooses the ports, the last ones if they are free, and writes the
// settings.
func (k *Kafka) configure() error {
	saved, err := os.ReadFile(k.path("ports"))
	if err == nil {
		err = json.Unmarshal(saved, &k.ports)
	}
	if err != nil || !portFree(k.ports.Port) || !portFree(k.ports.ControllerPort) {
		if k.ports.Port, err = freePort(); err != nil {
			return err
		}
		for k.ports.ControllerPort = k.ports.Port; k.ports.ControllerPort == k.ports.Port; {
			if k.ports.ControllerPort, err = freePort(); err != nil {
				return err
			}
		}
	}
	var text bytes.Buffer
	advertised := k.options.Advertise
	if advertised == "" {
		advertised = k.Address()
	}
	err = template.Must(template.New("").Parse(kafkaProperties)).Execute(&text, struct {
		kafkaPorts
		Data, Advertised string
	}{k.ports, k.path("data"), advertised})
	if err != nil {
		return fmt.Errorf("fill in the broker's settings: %w", err)
	}
	if err := os.WriteFile(k.path("server.properties"), text.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write the broker's settings: %w", err)
	}
	if saved, err = json.Marshal(k.ports); err != nil {
		return fmt.Errorf("note the broker's ports: %w", err)
	}
	if err := os.WriteFile(k.path("ports"), saved, 0o600); err != nil {
		return fmt.Errorf("note the broker's ports: %w", err)
	}
	return nil
}

// format prepares new data. A mark written afterwards tells it from data whose
// formatting was interrupted, which is begun anew.
func (k *Kafka) format(ctx context.Context) error {
	if _, err := os.Stat(k.path("formatted")); err == nil {
		return nil
	}
	if err := os.RemoveAll(k.path("data")); err != nil {
		return fmt.Errorf("remove an unfinished data directory: %w", err)
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	id[0] &= 0x3f           // Kafka refuses ids that begin with '-'
	cmd := k.command(ctx, "kafka.tools.StorageTool", "format", "--standalone",
		"--cluster-id", base64.RawURLEncoding.EncodeToString(id[:]),
		"--config", k.path("server.properties"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format the broker's data: %w: %s", err, strings.TrimSpace(string(out)))
	}
	if err := os.WriteFile(k.path("formatted"), nil, 0o600); err != nil {
		return fmt.Errorf("mark the data as formatted: %w", err)
	}
	return nil
}

// command is a Java program of Kafka's. The flags favour a quick start over peak
// speed: a test's broker lives for seconds.
func (k *Kafka) command(ctx context.Context, class string, args ...string) *exec.Cmd {
	java := []string{
		"-Xms64m", "-Xmx" + k.options.Heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Djava.awt.headless=true", "-Dlog4j2.configurationFile=" + k.path("log4j2.properties"),
		"-cp", filepath.Join(k.jars, "*"), class,
	}
	cmd := exec.CommandContext(ctx, k.java, append(java, args...)...)
	cmd.Dir = k.dir
	return cmd
}

// attempt runs the broker and waits for its answer to a metadata request that
// names a broker: from then on topics can be made and written.
func (k *Kafka) attempt(ctx context.Context) error {
	from := logSize(k.path("log"))
	cmd := k.command(context.WithoutCancel(ctx), "kafka.Kafka", k.path("server.properties"))
	process, err := startProcess(cmd, k.path("log"), syscall.SIGKILL)
	if err != nil {
		return err
	}
	k.process = process
	if err := os.WriteFile(k.path("pid"), []byte(strconv.Itoa(process.pid)), 0o600); err != nil {
		process.kill()
		return fmt.Errorf("note the broker's process id: %w", err)
	}
	for {
		err := k.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-process.done:
			return fmt.Errorf("start Kafka in %s: the broker ended: %s", k.dir, tail(k.path("log"), from))
		case <-ctx.Done():
			process.kill()
			return fmt.Errorf("start Kafka in %s: %w while waiting for its answer: %w: %s",
				k.dir, context.Cause(ctx), err, tail(k.path("log"), from))
		case <-time.After(2 * pollEvery):
		}
	}
}

// ready asks the broker for its metadata, on a connection of its own.
func (k *Kafka) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := kafka.Client{Addr: kafka.TCP(k.Address()), Transport: transport}
	answer, err := client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return fmt.Errorf("ask for the broker's metadata: %w", err)
	}
	if len(answer.Brokers) == 0 {
		return errors.New("the broker is not registered yet")
	}
	return nil
}

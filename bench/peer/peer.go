// Package peer has the baselines that the server is measured against: the
// least that anybody could do in its place. Those that answer over a socket,
// and the bare writer, are processes of their own, so that they share the
// machine with the client as the server does.
//
// A peer is started as a subcommand of the program that measures. It tells
// its address on standard output and ends when its standard input does, so
// that none is ever left behind.
package peer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// said is the line by which a peer tells its parent what it has.
type said struct {
	Address string  `json:"address,omitempty"`
	Rate    float64 `json:"rate,omitempty"`
}

// Names are the peers that Main knows.
var Names = []string{"http", "echo", "pebble", "bank"}

// Main is a peer's main: args are its name and, for pebble, a directory and a
// duration, for bank its clients, members and a duration. It returns when in ends, or when the work is done.
func Main(args []string, in io.Reader, out io.Writer) error {
	if len(args) == 0 || !slices.Contains(Names, args[0]) {
		return fmt.Errorf("a peer is one of %s", strings.Join(Names, ", "))
	}
	if args[0] == "pebble" {
		return pebbleMain(args[1:], out)
	}
	if args[0] == "bank" {
		return bankMain(args[1:], out)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(said{Address: ln.Addr().String()}); err != nil {
		return errors.Join(err, ln.Close())
	}
	serve := serveHTTP
	if args[0] == "echo" {
		serve = serveEcho
	}
	go serve(ln)
	_, err = io.Copy(io.Discard, in)
	return errors.Join(err, ln.Close())
}

func pebbleMain(args []string, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("pebble takes a directory and a duration")
	}
	lasting, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	rate, err := Pebble(args[0], lasting)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(said{Rate: rate})
}

// serveHTTP answers every request with an empty 200, as fast as fasthttp does.
func serveHTTP(ln net.Listener) {
	s := &fasthttp.Server{Handler: func(*fasthttp.RequestCtx) {}, NoDefaultContentType: true}
	_ = s.Serve(ln) // until the listener is closed
}

// serveEcho sends back what comes.
func serveEcho(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return // closed
		}
		go func() {
			defer conn.Close()
			buf := make([]byte, 64<<10)
			for {
				n, err := conn.Read(buf)
				if err != nil {
					return
				}
				if _, err := conn.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}

// Command makes the process that is a peer: the program itself with the
// subcommand that calls Main.
type Command func(ctx context.Context, args ...string) *exec.Cmd

// Self is the command `<this program> peer …`.
func Self(ctx context.Context, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return exec.CommandContext(ctx, self, append([]string{"peer"}, args...)...)
}

// Process is a peer that listens.
type Process struct {
	Address string
	cmd     *exec.Cmd
	in      io.Closer
}

// Start starts a peer that listens and learns its address.
func Start(ctx context.Context, command Command, name string) (*Process, error) {
	cmd := command(ctx, name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the peer %s: %w", name, err)
	}
	p := &Process{cmd: cmd, in: in}
	var s said
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &s)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the peer %s did not tell its address: %w", name, err), p.Stop())
	}
	p.Address = s.Address
	return p, nil
}

// Pid is the process's id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Stop ends the process.
func (p *Process) Stop() error {
	return errors.Join(p.in.Close(), p.cmd.Wait())
}

// Writer runs the bare Pebble writer for a time in a process of its own, on a
// new database in dir, and returns its operations a second.
func Writer(ctx context.Context, command Command, dir string, lasting time.Duration) (float64, error) {
	cmd := command(ctx, "pebble", dir, lasting.String())
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("the bare Pebble writer: %w", err)
	}
	var s said
	err = json.Unmarshal(out, &s)
	return s.Rate, err
}

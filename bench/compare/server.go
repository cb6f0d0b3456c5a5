package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"
)

const (
	startLimit   = 10 * time.Second
	measureLimit = 2 * time.Minute
	stopLimit    = 5 * time.Second
)

// A server is a program that offers /echo, /sub and /pub, or a plain echo.
type server struct {
	name    string
	raw     bool
	command []string // without the address, which follows
	addr    string
	process *exec.Cmd
}

// The servers that the others are compared with.
const (
	reference = "gnet"
	floor     = "epoll"
)

func servers(hongyan, peers string) []*server {
	all := []*server{{name: "hongyan", command: []string{hongyan, "bench", "serve-echo", "--listen"}}}
	for _, name := range []string{floor, reference, "nbio", "gws", "gorilla", "coder"} {
		all = append(all, &server{name: name, raw: name == floor, command: []string{filepath.Join(peers, name), "-listen"}})
	}
	return all
}

// start runs the server on a port of its own and returns when it listens.
func (s *server) start(ctx context.Context) error {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.addr = free.Addr().String()
	free.Close()
	s.process = pinned(ctx, 0, append(s.command, s.addr)...)
	var said bytes.Buffer
	s.process.Stderr = &said
	if err := s.process.Start(); err != nil {
		s.process = nil
		return err
	}
	for deadline := time.Now().Add(startLimit); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", s.addr); err == nil {
			return c.Close()
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			s.stop()
			return fmt.Errorf("does not listen: %s", said.Bytes())
		}
	}
}

// stop ends the server, if it runs.
func (s *server) stop() {
	if s.process == nil {
		return
	}
	s.process.Process.Kill()
	s.process.Wait()
	s.process = nil
}

// pinned is a command on one processor, where there are two and taskset; it ends with ctx.
func pinned(ctx context.Context, processor int, command ...string) *exec.Cmd {
	if path, err := exec.LookPath("taskset"); err == nil && runtime.NumCPU() > 1 {
		command = append([]string{path, "-c", strconv.Itoa(processor)}, command...)
	}
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.WaitDelay = stopLimit
	return c
}

// A report is what the tables need of the JSON of hongyan bench.
type report struct {
	PerSecond float64 `json:"per_second"`
	Latency   struct {
		P50 float64 `json:"p50"`
		P99 float64 `json:"p99"`
	} `json:"latency_us"`
	Server struct {
		PerMillion float64 `json:"cpu_seconds_per_million"`
		User       float64 `json:"user_seconds_per_million"`
		Cores      float64 `json:"cores"`
	} `json:"server"`
	Generator struct {
		Core   float64 `json:"core"`
		Queued float64 `json:"queued"`
	} `json:"generator"`
	Memory []struct {
		Connections float64 `json:"connections"`
		RSS         float64 `json:"rss_bytes"`
		Each        float64 `json:"rss_per_connection"`
		Slab        float64 `json:"kernel_slab_per_connection"`
	} `json:"memory"`
}

// measure puts the load of a row on the server.
func (s *server) measure(ctx context.Context, generator string, r row, more ...string) (*report, error) {
	if s.process == nil {
		return nil, errors.New("the server does not run")
	}
	url := "ws://" + s.addr + r.path
	if s.raw {
		url = "tcp://" + s.addr
	}
	ctx, cancel := context.WithTimeout(ctx, measureLimit)
	defer cancel()
	args := append([]string{generator, "bench", r.mode, "--json", "--url", url, "--pid", strconv.Itoa(s.process.Process.Pid)}, r.args...)
	command := pinned(ctx, 1, append(args, more...)...)
	var said bytes.Buffer
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	result := new(report)
	return result, json.Unmarshal(out, result)
}

// Compare measures WebSocket servers against each other with hongyan bench and prints tables of ratios.
//
//	for each round: for each row: for each server: one short measurement ─► median over the rounds of the ratios within each
//
// All servers run at the same time, for an idle one costs nothing, and each row is measured on all of them within
// seconds: what happens on the machine meanwhile happens to all. The order changes from round to round. On Linux with two
// processors or more the servers share the first and the generator has the second.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A row is one measurement of a table.
type row struct {
	name string
	mode string   // of hongyan bench
	path string   // on the server
	args []string // for hongyan bench
	raw  bool     // the plain echo takes part
	full bool     // only in a full run
}

const (
	few  = "64"
	many = "10000"
)

func echo(connections, inFlight, size string, full bool) row {
	return row{
		name: fmt.Sprintf("echo, %s connections, %s in flight, %s B", connections, inFlight, size),
		mode: "echo", path: "/echo", raw: true, full: full,
		args: []string{"--connections", connections, "--in-flight", inFlight, "--size", size},
	}
}

func broadcast(inFlight string, full bool) row {
	return row{
		name: fmt.Sprintf("broadcast to %s, %s under way, 128 B", many, inFlight), mode: "broadcast", path: "/sub", full: full,
		args: []string{"--connections", many, "--in-flight", inFlight, "--size", "128"},
	}
}

const idle = "idle"

var rows = []row{
	echo(few, "1", "128", false), echo(few, "1", "1024", true), echo(few, "1", "16384", false),
	echo(few, "16", "128", false), echo(few, "16", "1024", true), echo(few, "16", "16384", false),
	echo(many, "1", "128", false), echo(many, "1", "1024", true), echo(many, "1", "16384", true),
	echo(many, "16", "128", true),
	{name: "handshake, 64 at once", mode: "connect", path: "/echo", args: []string{"--connections", few}},
	broadcast("1", false), broadcast("8", false),
	{
		name: "idle, 15000 connections", mode: idle, path: "/echo", raw: true,
		args: []string{"--connections", "1000,5000,15000"},
	},
}

func main() {
	log.SetFlags(0)
	var run comparison
	program := flag.String("hongyan", "", "the program hongyan")
	peers := flag.String("peers", "", "the folder with the peers' programs")
	only := flag.String("servers", "", "names of servers, with commas between (default: all)")
	pattern := flag.String("rows", "", "a regular expression for the names of rows")
	full := flag.Bool("full", false, "measure every row")
	flag.IntVar(&run.rounds, "rounds", 5, "how often to measure each row; idle: every other time")
	flag.DurationVar(&run.duration, "duration", 700*time.Millisecond, "of one measurement")
	flag.Parse()

	wanted, err := regexp.Compile(*pattern)
	if err != nil {
		log.Fatal(err)
	}
	run.generator = *program
	run.servers = servers(*program, *peers)
	if *only != "" {
		names := strings.Split(*only, ",")
		run.servers = slices.DeleteFunc(run.servers, func(s *server) bool { return !slices.Contains(names, s.name) })
	}
	for _, r := range rows {
		if wanted.MatchString(r.name) && (*full || !r.full || *pattern != "") {
			run.rows = append(run.rows, r)
		}
	}
	if len(run.servers) == 0 || len(run.rows) == 0 {
		log.Fatal("nothing to measure: -servers takes names with commas between, -rows a regular expression for the names of rows")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok := run.measure(ctx, os.Stderr)
	run.write(os.Stdout)
	if !ok {
		os.Exit(1)
	}
}

// A comparison is a run over rows and servers, and what it has found.
type comparison struct {
	generator string
	servers   []*server
	rows      []row
	rounds    int
	duration  time.Duration
	found     map[string]map[string][]*report // by row and server; one for each round, nil where it failed
}

// measure runs all rounds and reports whether every measurement succeeded. What failed is said on progress.
func (run *comparison) measure(ctx context.Context, progress io.Writer) bool {
	run.found = make(map[string]map[string][]*report)
	for _, r := range run.rows {
		run.found[r.name] = make(map[string][]*report)
	}
	ok := true
	for round := range run.rounds {
		order := slices.Clone(run.servers)
		for range round % len(order) {
			order = append(order[1:], order[0])
		}
		if !run.loaded(ctx, progress, round, order) || round%2 == 0 && !run.idle(ctx, progress, round, order) {
			ok = false
		}
		if ctx.Err() != nil {
			return false
		}
	}
	return ok
}

// loaded measures the rows that put load on servers, with all of them up.
func (run *comparison) loaded(ctx context.Context, progress io.Writer, round int, order []*server) bool {
	ok := true
	for _, s := range order {
		if err := s.start(ctx); err != nil {
			fmt.Fprintf(progress, "%s: %v\n", s.name, err)
			ok = false
		}
		defer s.stop()
	}
	for _, r := range run.rows {
		if r.mode == idle {
			continue
		}
		fmt.Fprintf(progress, "round %d of %d: %s\n", round+1, run.rounds, r.name)
		for _, s := range order {
			ok = run.one(ctx, progress, r, s, "--duration", run.duration.String(), "--warmup", "200ms") && ok
		}
	}
	return ok
}

// idle measures memory, each server afresh and alone.
func (run *comparison) idle(ctx context.Context, progress io.Writer, round int, order []*server) bool {
	ok := true
	for _, r := range run.rows {
		if r.mode != idle {
			continue
		}
		fmt.Fprintf(progress, "round %d of %d: %s\n", round+1, run.rounds, r.name)
		for _, s := range order {
			if err := s.start(ctx); err != nil {
				fmt.Fprintf(progress, "%s: %v\n", s.name, err)
				ok = false
			}
			ok = run.one(ctx, progress, r, s, "--rest", "1s") && ok
			s.stop()
		}
	}
	return ok
}

// one measures a row on a server, if the server takes part in it.
func (run *comparison) one(ctx context.Context, progress io.Writer, r row, s *server, more ...string) bool {
	if s.raw && !r.raw || ctx.Err() != nil {
		return true
	}
	result, err := s.measure(ctx, run.generator, r, more...)
	if err != nil {
		fmt.Fprintf(progress, "%s: %s: %v\n", s.name, r.name, err)
	}
	run.found[r.name][s.name] = append(run.found[r.name][s.name], result)
	return err == nil
}

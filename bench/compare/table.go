package main

import (
	"fmt"
	"io"
	"slices"
)

// write prints the ratios of all rows and then the figures of each, as Markdown.
func (run *comparison) write(w io.Writer) {
	for _, other := range []struct{ name, says string }{{reference, "gnet + gobwas/ws"}, {floor, "the plain epoll echo"}} {
		if !slices.ContainsFunc(run.servers, func(s *server) bool { return s.name == other.name }) {
			continue
		}
		fmt.Fprintf(w, "CPU (idle: user memory) of %s divided by that of each server; above 1 is better than it. Medians of %d rounds.\n\n",
			other.says, run.rounds)
		run.writeRatios(w, other.name)
	}
	for _, r := range run.rows {
		fmt.Fprintf(w, "%s\n\n", r.name)
		if r.mode == idle {
			run.writeMemory(w, r)
		} else {
			run.writeFigures(w, r)
		}
	}
}

func (run *comparison) writeRatios(w io.Writer, other string) {
	heading, line := "|", "|---|"
	for _, s := range run.servers {
		heading += " | " + s.name
		line += "--:|"
	}
	fmt.Fprintf(w, "%s |\n%s\n", heading, line)
	for _, r := range run.rows {
		if r.mode == idle && other == floor {
			continue // which keeps nothing for a connection
		}
		fmt.Fprintf(w, "| %s", r.name)
		for _, s := range run.servers {
			fmt.Fprintf(w, " | %s", run.ratio(r, other, s.name))
		}
		fmt.Fprint(w, " |\n")
	}
	fmt.Fprintln(w)
}

// leastMemory is what a connection has to keep for a ratio to mean anything, in bytes.
const leastMemory = 16

// cost is what a measurement is compared by.
func cost(r row, of *report) float64 {
	if r.mode == idle {
		return of.further()
	}
	return of.Server.PerMillion
}

// further is what each connection behind the first step costs, in bytes, after a message on each. The first ones may find
// room in what a program has from its start, and look too cheap.
func (r *report) further() float64 {
	first, last := r.Memory[1], r.Memory[len(r.Memory)-1]
	return (last.RSS - first.RSS) / (last.Connections - first.Connections)
}

// ratio is the median of the ratios within each round.
func (run *comparison) ratio(r row, other, name string) string {
	var ratios []float64
	theirs := run.found[r.name][other]
	for i, ours := range run.found[r.name][name] {
		if ours == nil || i >= len(theirs) || theirs[i] == nil || cost(r, ours) <= 0 {
			continue
		}
		if r.mode == idle && cost(r, ours) < leastMemory {
			continue
		}
		ratios = append(ratios, cost(r, theirs[i])/cost(r, ours))
	}
	if len(ratios) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", median(ratios))
}

func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// over is the median over the rounds that succeeded, 0 if none did.
func over(reports []*report, value func(*report) float64) float64 {
	var values []float64
	for _, r := range reports {
		if r != nil {
			values = append(values, value(r))
		}
	}
	if len(values) == 0 {
		return 0
	}
	return median(values)
}

func (run *comparison) writeFigures(w io.Writer, r row) {
	fmt.Fprintln(w, "| server | CPU µs | of it user | a second | p50 µs | p99 µs | p99 / p50 | server cores | generator core, queued | rounds |")
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, s := range run.servers {
		found := slices.DeleteFunc(slices.Clone(run.found[r.name][s.name]), func(r *report) bool { return r == nil })
		if len(found) == 0 {
			continue
		}
		fmt.Fprintf(w, "| %s | %.3g | %.3g | %.0f | %.0f | %.0f | %.1f | %.2f | %.2f, %.2f | %d |\n", s.name,
			over(found, func(r *report) float64 { return r.Server.PerMillion }),
			over(found, func(r *report) float64 { return r.Server.User }),
			over(found, func(r *report) float64 { return r.PerSecond }),
			over(found, func(r *report) float64 { return r.Latency.P50 }),
			over(found, func(r *report) float64 { return r.Latency.P99 }),
			over(found, func(r *report) float64 { return r.Latency.P99 / r.Latency.P50 }),
			over(found, func(r *report) float64 { return r.Server.Cores }),
			over(found, func(r *report) float64 { return r.Generator.Core }),
			over(found, func(r *report) float64 { return r.Generator.Queued }), len(found))
	}
	fmt.Fprintln(w)
}

func (run *comparison) writeMemory(w io.Writer, r row) {
	fmt.Fprintln(w, "| server | empty, MB | opened, B each | after a message, B each | each beyond the first 1000, B | kernel slab, B a pair | rounds |")
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|--:|--:|")
	for _, s := range run.servers {
		found := slices.DeleteFunc(slices.Clone(run.found[r.name][s.name]), func(r *report) bool { return r == nil })
		if len(found) == 0 {
			continue
		}
		last := len(found[0].Memory) - 1
		fmt.Fprintf(w, "| %s | %.1f | %.0f | %.0f | %.0f | %.0f | %d |\n", s.name,
			over(found, func(r *report) float64 { return r.Memory[0].RSS / 1e6 }),
			over(found, func(r *report) float64 { return r.Memory[last-1].Each }),
			over(found, func(r *report) float64 { return r.Memory[last].Each }), over(found, (*report).further),
			over(found, func(r *report) float64 { return r.Memory[last].Slab }), len(found))
	}
	fmt.Fprintln(w)
}

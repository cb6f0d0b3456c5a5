// Package report keeps what clients tell of networks that fail them, for the operator to look through: which transports
// they tried, what became of each, and how long it took. There is no place in a report for what people write.
//
// Reports stand in two files, one JSON object a line, the newer of which grows until it takes the place of the older: so
// they never take more than MaxDisk, and the oldest go. They are no part of anybody's account and are not synced to disk
// one by one: a crash of the machine may take the last with it.
package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/hongyan-im/hongyan"
)

// Limits.
const (
	MaxBody     = 16 << 10 // bytes of a report as it comes
	MaxAttempts = 64       // in one report
	MaxText     = 256      // characters of each text
	MaxDisk     = 8 << 20  // bytes of all reports
	MaxListed   = 1000     // in one answer
)

// Report is what a client tells.
type Report struct {
	Client   string    `json:"client"`         // program and system
	Network  string    `json:"network"`        // wifi, cellular, …, as far as it is known
	SinceMS  int64     `json:"sinceMs,string"` // since when it is without a link, Unix milliseconds
	Waiting  uint32    `json:"waiting"`        // messages that wait to be sent
	Attempts []Attempt `json:"attempts"`       // oldest first
}

// Attempt is one attempt to connect.
type Attempt struct {
	Transport string `json:"transport"`   // tls, wss, https, tcp, ws or http
	Address   string `json:"address"`     // HOST:PORT
	AtMS      int64  `json:"atMs,string"` // Unix milliseconds
	TookMS    uint32 `json:"tookMs"`
	Stage     string `json:"stage"` // how far it got: dns, connect, tls, auth, answer, or ok
	Error     string `json:"error"` // as the system says it
}

// Entry is a report as it is kept.
type Entry struct {
	ReceivedMS int64          `json:"receivedMs,string"`
	RequestID  string         `json:"requestId"`
	From       string         `json:"from"`                  // the network that it came from
	User       hongyan.UserID `json:"user,string,omitempty"` // if it said who it was
	Report     Report         `json:"report"`
}

// Parse reads a report. Fields that it does not know are not kept, texts are cut to MaxText and cleaned. Anything else that
// is wrong is an Invalid *hongyan.Error.
func Parse(body []byte) (Report, error) {
	var r Report
	if err := json.Unmarshal(body, &r); err != nil {
		return Report{}, hongyan.Errorf(hongyan.Invalid, "the body is no report: %v", err).
			WithHint("64-bit numbers are decimal strings; see the document of the protocol")
	}
	if len(r.Attempts) > MaxAttempts {
		return Report{}, hongyan.Errorf(hongyan.TooMany, "the report has %d attempts, more than %d", len(r.Attempts), MaxAttempts).
			WithHint("report the latest")
	}
	texts := []*string{&r.Client, &r.Network}
	for i := range r.Attempts {
		a := &r.Attempts[i]
		texts = append(texts, &a.Transport, &a.Address, &a.Stage, &a.Error)
	}
	for _, t := range texts {
		*t = clean(*t)
	}
	return r, nil
}

// clean makes s safe to be shown on a terminal, and short.
func clean(s string) string {
	n := 0
	return strings.Map(func(c rune) rune {
		if n++; n > MaxText {
			return -1
		}
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, s)
}

// Log holds the reports of a server. Its methods may be called from several goroutines.
type Log struct {
	dir  string
	half int64 // bytes of the newer file at which it becomes the older

	mu   sync.Mutex
	file *os.File // the newer, open for appending
	size int64
	cut  bool // it may end within a line
}

const newer, older = "reports.jsonl", "reports-old.jsonl"

// Open opens the reports in a directory, which has to exist.
func Open(dir string) (*Log, error) {
	l := &Log{dir: dir, half: MaxDisk / 2}
	return l, l.open()
}

func (l *Log) open() error {
	f, err := os.OpenFile(filepath.Join(l.dir, newer), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("reports: %w", err), f.Close())
	}
	l.file, l.size, l.cut = f, info.Size(), info.Size() > 0
	return nil
}

// Add keeps a report.
func (l *Log) Add(e Entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	line = append(line, '\n')
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		line = append([]byte{'\n'}, line...) // an empty line is passed over
	}
	if l.size > 0 && l.size+int64(len(line)) > l.half {
		if err := l.turn(); err != nil {
			return err
		}
	}
	n, err := l.file.Write(line)
	l.size += int64(n)
	l.cut = err != nil
	if err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	return nil
}

// turn makes the newer file the older one and begins another.
func (l *Log) turn() error {
	err := os.Rename(filepath.Join(l.dir, newer), filepath.Join(l.dir, older))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it is not there if the last turn came no further
		return fmt.Errorf("reports: %w", err)
	}
	full := l.file
	if err := l.open(); err != nil {
		return err
	}
	_ = full.Close()
	return nil
}

// List returns the latest reports, at most limit or MaxListed, the newest first. What a crash has cut short is left out.
func (l *Log) List(limit int) ([]Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var text []byte
	for _, name := range []string{older, newer} {
		part, err := os.ReadFile(filepath.Join(l.dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("reports: %w", err)
		}
		text = append(text, part...)
	}
	list := []Entry{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		var e Entry
		if json.Unmarshal(lines.Bytes(), &e) == nil {
			list = append(list, e)
		}
	}
	slices.Reverse(list)
	return list[:min(len(list), max(limit, 0), MaxListed)], lines.Err()
}

// Close closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

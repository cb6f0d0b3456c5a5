package torture

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan/internal/history"
)

// what says what an entry of a record tells.
type what string

const (
	begins  what = "begin"   // a request is about to leave
	queued  what = "queued"  // the outbox of a profile has taken a send, under Client
	done    what = "done"    // it was done
	refused what = "refused" // it was refused for good
	page    what = "page"    // a SyncReply came and is stored
	older   what = "older"   // a BackfillReply came and is stored
	pushed  what = "pushed"  // a Notify came; it is stored if Stored
	look    what = "look"    // a HistoryReply came
	list    what = "list"    // a ConversationsReply came
	told    what = "told"    // the program was told of a Change
	reset   what = "reset"   // the program was told of a reset
	held    what = "held"    // part of what the profile holds in the end: a SyncReply with messages and states
	whole   what = "whole"   // nothing is left to come
	settled what = "settled" // what the account is told in the end: a ConversationsReply
)

// entry is one line of a record. Bodies are those of the protocol.
type entry struct {
	What what  `json:"what"`
	At   int64 `json:"at"` // nanoseconds by the clock that all processes of the machine share
	// Asked is when a page, look or list was asked for.
	Asked int64 `json:"asked,omitempty"`
	// Op numbers the requests of a record.
	Op           int          `json:"op,omitempty"`
	Kind         history.Kind `json:"kind,omitempty"`
	Conversation string       `json:"conversation,omitempty"`
	Client       []byte       `json:"client,omitempty"`
	Text         string       `json:"text,omitempty"`
	Name         string       `json:"name,omitempty"`
	Ordinal      uint64       `json:"ordinal,omitempty"`
	Users        []uint64     `json:"users,omitempty"`
	Patient      bool         `json:"patient,omitempty"`
	// FirstMS is when a send was first tried, by the device's clock.
	FirstMS    int64  `json:"first_ms,omitempty"`
	Code       uint16 `json:"code,omitempty"`
	ID         uint64 `json:"id,omitempty"`
	TimeMS     int64  `json:"time_ms,omitempty"`
	Stored     bool   `json:"stored,omitempty"`
	Backfilled bool   `json:"backfilled,omitempty"`
	Body       []byte `json:"body,omitempty"`
}

// recorder appends to the record of a device. Every entry is one write, so that a process that is killed loses no more
// than the entry that it is just writing. Nothing is synced: processes are killed here, not machines.
type recorder struct {
	mu   sync.Mutex
	file *os.File
	ops  int
}

// openRecord opens a record for appending, drops what a kill has left of a last line, and returns what it holds.
func openRecord(path string) (*recorder, []entry, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, err
	}
	entries, size, err := readRecord(f)
	if err == nil {
		err = f.Truncate(size)
	}
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	r := &recorder{file: f}
	for i := range entries {
		r.ops = max(r.ops, entries[i].Op)
	}
	return r, entries, nil
}

// readRecord reads all whole lines, and returns how many bytes they take.
func readRecord(from io.Reader) (entries []entry, size int64, err error) {
	in := bufio.NewReaderSize(from, 1<<16)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return entries, size, nil
		}
		if err != nil {
			return nil, 0, err
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", len(entries)+1, err)
		}
		entries = append(entries, e)
		size += int64(len(line))
	}
}

// add appends an entry that happens now. A record that cannot be written ends the process: nothing that happens after
// that could be judged.
func (r *recorder) add(e entry, body proto.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.append(e, body)
}

func (r *recorder) append(e entry, body proto.Message) {
	var err error
	if body != nil {
		e.Body, err = proto.Marshal(body)
	}
	e.At = monotonic()
	var line []byte
	if err == nil {
		line, err = json.Marshal(e)
	}
	if err == nil {
		_, err = r.file.Write(append(line, '\n'))
	}
	if err != nil {
		panic(fmt.Sprintf("a record cannot be written: %v", err))
	}
}

// begin records a request and returns its number.
func (r *recorder) begin(e entry) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops++
	e.What, e.Op = begins, r.ops
	r.append(e, nil)
	return e.Op
}

func (r *recorder) close() { r.file.Close() }

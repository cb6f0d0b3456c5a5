package pebblekv

import (
	"errors"
	"fmt"
)

// NewerFormatError is what Open returns for a store that a later version of the program wrote. Nothing was changed.
type NewerFormatError struct {
	Dir   string
	What  string // "format" or "key order"
	Found string
	Known string // the latest that this program knows
}

func (e *NewerFormatError) Error() string {
	return fmt.Sprintf("pebblekv: the store in %s has %s %s and this program knows only up to %s: a later version wrote it; "+
		"start that version or a later one, or restore a backup that this version made", e.Dir, e.What, e.Found, e.Known)
}

// CorruptError means that what is on the disk is not what was written there. Open returns it instead of a store that
// lacks part of its records; calls return it when they meet the damage later, and the store has failed then.
type CorruptError struct {
	Dir string
	Err error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("pebblekv: the store in %s is damaged: %v; check the disk, keep the directory for repair, "+
		"and restore a backup into another one", e.Dir, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// LockedError is what Open returns while another process, or another Store of this one, has the directory open.
type LockedError struct {
	Dir string
	Err error
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("pebblekv: the store in %s is in use: only one process may open it, stop the other one first (%v)",
		e.Dir, e.Err)
}

func (e *LockedError) Unwrap() error { return e.Err }

// FailedError is what every call returns once the store has failed. Whatever was acknowledged before is on the disk
// (unless the cause is a *CorruptError); what was under way may be there or not.
type FailedError struct {
	Dir string
	Err error // the first thing that went wrong
}

func (e *FailedError) Error() string {
	text := fmt.Sprintf("pebblekv: the store in %s has stopped for good: %v", e.Dir, e.Err)
	if damage := (*CorruptError)(nil); errors.As(e.Err, &damage) {
		return text
	}
	return text + "; remove the cause and start the process again, nothing acknowledged is lost"
}

func (e *FailedError) Unwrap() error { return e.Err }

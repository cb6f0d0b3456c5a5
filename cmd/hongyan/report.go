package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/config"
)

// Exit statuses.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // 128 + SIGINT, as shells have it
)

// usageError is a command line that cannot be understood.
type usageError struct {
	error
	hint string
}

func wrongUse(c *cobra.Command, err error) error {
	return &usageError{err, c.CommandPath() + " --help shows how"}
}

// hintedError is an error that says what to do about it.
type hintedError struct {
	error
	hint string
}

func (e *hintedError) Unwrap() error { return e.error }

func withHint(err error, format string, args ...any) error {
	return &hintedError{err, fmt.Sprintf(format, args...)}
}

// silentError ends the program with a status and says nothing, because what there is to say was said.
type silentError int

func (e silentError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// report tells people about an error, and returns the exit status for it.
func report(w io.Writer, err error) int {
	if err == nil {
		return 0
	}
	if silent, ok := errors.AsType[silentError](err); ok {
		return int(silent)
	}
	interrupted := errors.Is(err, context.Canceled)
	if _, hinted := errors.AsType[*hintedError](err); interrupted && !hinted {
		return exitInterrupted
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			report(w, e)
		}
		return exitFailed
	}
	message, hint := explain(err)
	fmt.Fprintf(w, "hongyan: %s\n", message)
	if hint != "" {
		fmt.Fprintf(w, "  %s\n", hint)
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	if interrupted {
		return exitInterrupted
	}
	return exitFailed
}

// explain splits an error into what is wrong and what to do about it.
func explain(err error) (message, hint string) {
	if e, ok := errors.AsType[*hintedError](err); ok {
		return err.Error(), e.hint
	}
	if e, ok := errors.AsType[*usageError](err); ok {
		return err.Error(), e.hint
	}
	if e, ok := errors.AsType[*hongyan.Error](err); ok {
		hint = e.Hint
	}
	if e, ok := errors.AsType[*config.Error](err); ok {
		hint = e.Hint
	}
	return strings.TrimSuffix(err.Error(), ": "+hint), hint
}

// Hongyan is the server, its client and its tools in one program: serve runs a server, user and key manage it, login,
// send, sync and chat use one, doctor examines the machine.
//
// Every command is one file here and holds no more than flags, a call and the printing of what came of it. What a
// command does is in the packages that it calls.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run executes one command line and returns the exit status: 0 done, 1 failed, 2 called wrongly, 130 interrupted.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal asks to end in order; the second, no longer caught, ends at once.
	context.AfterFunc(ctx, stop)

	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	return report(errs, root.ExecuteContext(ctx))
}

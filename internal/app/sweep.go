package app

import (
	"log/slog"
	"time"

	"github.com/hongyan-im/hongyan/internal/inbox"
)

const (
	sweepEvery = time.Minute           // between two walks over the accounts
	sweepPause = 20 * time.Millisecond // between two steps, which leaves the rest of the time to senders
)

// sweep trims the logs of all accounts to what is to be kept, again and again, and between two walks over them goes on
// with what was left undone.
type sweep struct{ stop, ended chan struct{} }

func startSweep(s *inbox.Sweeper, resume func(), log *slog.Logger) *sweep {
	w := &sweep{make(chan struct{}), make(chan struct{})}
	go w.run(s, resume, log)
	return w
}

func (w *sweep) run(s *inbox.Sweeper, resume func(), log *slog.Logger) {
	defer close(w.ended)
	resume()
	wait := time.NewTimer(sweepEvery)
	defer wait.Stop()
	type outcome struct {
		finished bool
		err      error
	}
	stepped := make(chan outcome, 1)
	for {
		select {
		case <-w.stop:
			return
		case <-wait.C:
		}
		s.Step(time.Now().UnixMilli(), func(finished bool, err error) { stepped <- outcome{finished, err} })
		pause := sweepPause
		select {
		case <-w.stop:
			return
		case o := <-stepped:
			if o.err != nil {
				log.Warn("cannot trim what is older than the server keeps; it is tried again", "error", o.err)
			}
			if o.finished || o.err != nil {
				pause = sweepEvery
				resume()
			}
		}
		wait.Reset(pause)
	}
}

func (w *sweep) close() {
	close(w.stop)
	<-w.ended
}

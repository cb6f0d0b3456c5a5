package torture

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/history"
	"github.com/hongyan-im/hongyan/wire"
)

// audited is what an account held when its act was over.
type audited struct {
	dir      string
	who      person
	messages int
	digest   [sha256.Size]byte
}

// remember keeps what the fresh devices of the act hold, to be compared in the end.
func (a *act) remember(l *loader) {
	fresh := l.h.Holdings[len(l.h.Holdings)-len(a.people):]
	for i, who := range a.people {
		a.audit = append(a.audit, audited{a.dir, who, len(fresh[i].Messages), digest(fresh[i].Messages)})
	}
}

// mint makes a device of an account, with a record in dir.
func (r *run) mint(ctx context.Context, who person, w way, dir string) (device, error) {
	reply := new(wire.MintTokenReply)
	request := &wire.MintTokenRequest{Name: who.Name, Device: wire.FromDevice(hongyan.Device{Name: string(w), Class: hongyan.ClassBot})}
	if err := r.server.operate(ctx, wire.OpMintToken, request, reply); err != nil {
		return device{}, err
	}
	return device{
		User: who.User, Device: hongyan.DeviceID(reply.Device), Token: reply.DeviceToken, Way: w,
		Record: filepath.Join(dir, fmt.Sprintf("%d-%d-%s.jsonl", who.User, reply.Device, w)),
	}, nil
}

// fetch has a new device of an account fetch everything from nothing, and record it.
func (r *run) fetch(ctx context.Context, who person, dir string) (device, error) {
	d, err := r.mint(ctx, who, poll, dir)
	if err != nil {
		return d, err
	}
	l, err := newLean(&plan{Server: r.server.addr}, &d)
	if err != nil {
		return d, err
	}
	defer l.rec.close()
	defer l.net.close()
	if err := l.finish(ctx); err != nil {
		return d, err
	}
	asked, reply := monotonic(), new(wire.ConversationsReply)
	if err := insist(ctx, l.net, wire.OpConversations, &wire.ConversationsRequest{Limit: 200}, reply); err != nil {
		return d, err
	}
	l.rec.add(entry{What: settled, Asked: asked}, reply)
	return d, nil
}

// digest tells messages apart: what they are and where they stand.
func digest(messages []hongyan.Message) (sum [sha256.Size]byte) {
	h := sha256.New()
	var b []byte
	for i := range messages {
		m := &messages[i]
		b, _ = m.Conversation.AppendBinary(b[:0])
		b = binary.BigEndian.AppendUint64(b, uint64(m.Ordinal))
		b = binary.BigEndian.AppendUint64(b, uint64(m.ID))
		b = append(b, byte(m.State))
		b = append(b, m.Content.Text...)
		h.Write(b)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// lookAgain kills the server once more, and lets a new device of every account of all acts fetch everything.
func (r *run) lookAgain(ctx context.Context) error {
	if r.report.Acts < 2 {
		return nil // it has just been done
	}
	r.counts.add(KillServer)
	r.server.kill()
	if err := r.server.run(ctx); err != nil {
		return err
	}
	for i, was := range r.audit {
		r.now(func() string { return fmt.Sprintf("looking at account %d of %d once more", i+1, len(r.audit)) })
		if err := r.compare(ctx, was); err != nil {
			return err
		}
	}
	return nil
}

// compare looks whether an account still holds what it held.
func (r *run) compare(ctx context.Context, was audited) error {
	d, err := r.fetch(ctx, was.who, r.options.Dir)
	if err != nil {
		return err
	}
	defer os.Remove(d.Record)
	l, err := load([]device{d})
	if err != nil {
		return err
	}
	now := l.h.Holdings[0].Messages
	if digest(now) != was.digest {
		r.report.add(history.Violation{Rule: history.Durable, Detail: fmt.Sprintf(
			"account %d held %d messages when its act was over, and now others, %d", was.who.User, was.messages, len(now))}, was.dir, nil)
	}
	return nil
}

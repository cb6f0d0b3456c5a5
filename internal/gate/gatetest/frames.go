//go:build unix

package gatetest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/wire"
)

// script is a stream of frames with bodies of awkward sizes, and the frames.
func script(first uint32) (stream []byte, frames []wire.Frame) {
	for i, size := range []int{0, 1, 15, 16, 17, 200, 3} {
		f := wire.Frame{Op: wire.OpSend, Seq: first + uint32(i), Body: bytes.Repeat([]byte{byte(i + 1)}, size)}
		frames = append(frames, f)
		stream = wire.AppendFrame(stream, f)
	}
	return stream, frames
}

func (r Rig) testCuts(t *testing.T) {
	s := r.start(t, nil, nil)
	c := s.dial()
	stream, frames := script(1)
	for cut := 0; cut <= len(stream); cut++ {
		// The frames before the cut are answered before the rest is sent, so that the cut really is one.
		c.send(stream[:cut])
		rest, read := frames, 0
		for len(rest) > 0 && read+rest[0].Size() <= cut {
			c.wantEcho(rest[0])
			read += rest[0].Size()
			rest = rest[1:]
		}
		c.send(stream[cut:])
		for _, f := range rest {
			c.wantEcho(f)
		}
	}
}

func (r Rig) testBytes(t *testing.T) {
	s := r.start(t, nil, nil)
	c := s.dial()
	stream, frames := script(1)
	for i := range stream {
		c.send(stream[i : i+1])
		if i%16 == 0 {
			time.Sleep(time.Millisecond) // or the network puts many together
		}
	}
	for _, f := range frames {
		c.wantEcho(f)
	}
}

func (r Rig) testManyInOne(t *testing.T) {
	s := r.start(t, nil, nil)
	c := s.dial()
	const n = 4096
	var stream []byte
	for seq := range uint32(n) {
		stream = wire.AppendFrame(stream, wire.Frame{Op: wire.OpHeartbeat, Seq: seq})
	}
	c.send(stream)
	for seq := range uint32(n) {
		c.wantEcho(wire.Frame{Op: wire.OpHeartbeat, Seq: seq})
	}
}

func (r Rig) testLarge(t *testing.T) {
	s := r.start(t, nil, nil)
	c := s.dial()
	for i, size := range []int{
		511, 512, 513, 16<<10 - 1, 16 << 10, 16<<10 + 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, wire.MaxFrame,
	} {
		f := wire.Frame{Op: wire.OpSend, Seq: uint32(i), Body: bytes.Repeat([]byte{byte(i)}, size-wire.HeaderSize)}
		c.send(wire.AppendFrame(nil, f))
		c.wantEcho(f)
	}
}

func (r Rig) testLimit(t *testing.T) {
	s := r.start(t, func(session *probe) {
		session.limit.Store(100)
		session.onFrame = func(_ time.Time, f wire.Frame) {
			if f.Seq == 3 {
				session.limit.Store(50)
			}
			session.link.Reply(wire.AppendFrame(nil, wire.Frame{Op: f.Op.Reply(), Seq: f.Seq}))
		}
	}, nil)
	c := s.dial()
	var stream []byte
	// In one segment: the limit that a frame sets holds for the frame behind it.
	for i, size := range []int{100, 100, 99, 51} {
		stream = wire.AppendFrame(stream, wire.Frame{
			Op: wire.OpSend, Seq: uint32(i + 1), Body: make([]byte, size-wire.HeaderSize),
		})
	}
	c.send(stream)
	for seq := uint32(1); seq <= 3; seq++ {
		c.wantEcho(wire.Frame{Op: wire.OpSend, Seq: seq})
	}
	c.wantClose(wire.CloseProtocolError)
	if err := *s.session().broken.Load(); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("Broken was told %v", err)
	}

	// What raises the limit need not happen in Frame.
	s = r.start(t, func(session *probe) { session.limit.Store(100) }, nil)
	c, session := s.meet()
	session.limit.Store(1000)
	large := wire.Frame{Op: wire.OpSend, Seq: 2, Body: make([]byte, 900)}
	c.send(wire.AppendFrame(nil, large))
	c.wantEcho(large)
}

// zeros are bytes that nobody looks at.
var zeros [64 << 10]byte

// header is the beginning of a frame of which anything may be wrong.
func header(length uint32, headerLength, version uint16) []byte {
	b := binary.BigEndian.AppendUint32(nil, length)
	b = binary.BigEndian.AppendUint16(b, headerLength)
	b = binary.BigEndian.AppendUint16(b, version)
	return append(b, 0, 0, 0, 40, 0, 0, 0, 1)
}

func (r Rig) testBroken(t *testing.T) {
	for _, tt := range []struct {
		name   string
		stream []byte
		unread int // bytes behind it
		want   error
	}{
		{"length 0", header(0, 16, 1), 0, wire.ErrLength},
		{"length 15", header(15, 16, 1), 0, wire.ErrLength},
		{"over the limit", header(wire.MaxFrame+1, 16, 1), 0, wire.ErrTooLarge},
		{"over the limit, with a body", header(wire.MaxFrame+1, 16, 1), 8 << 20, wire.ErrTooLarge},
		{"the largest length", header(1<<32-1, 16, 1), 0, wire.ErrTooLarge},
		{"text behind an empty body", append(header(16, 16, 1), "\nhello, world"...), 0, wire.ErrTooLarge},
		{"header length 17", header(17, 17, 1), 0, wire.ErrHeaderLength},
		{"version 2", header(16, 16, 2), 0, wire.ErrVersion},
		{"first four bytes of a bad length", []byte{0, 0, 0, 15}, 0, wire.ErrLength},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := r.start(t, nil, func(cfg *gate.Config) { cfg.Limits.Linger = hang })
			c, session := s.meet()
			c.send(tt.stream)
			// More than the sockets buffer: sending it succeeds only while the other side reads on. If it did not, the
			// end would be a reset, which on many systems takes the Close frame with it.
			for range tt.unread / len(zeros) {
				c.send(zeros[:])
			}
			if bytes.HasPrefix(tt.stream, header(16, 16, 1)) {
				c.wantEcho(wire.Frame{Op: wire.OpSend, Seq: 1})
			}
			c.wantClose(wire.CloseProtocolError)
			c.Close()
			session.waitClosed()
			if err := session.broken.Load(); err == nil || !errors.Is(*err, tt.want) {
				t.Errorf("Broken was told %v, want %v", err, tt.want)
			}
			if n := s.metric("broken_streams_total"); n != 1 {
				t.Errorf("%v broken streams counted", n)
			}
		})
	}
	t.Run("a session that does not answer", func(t *testing.T) {
		t.Parallel()
		s := r.start(t, func(session *probe) { session.onBroken = func(error) {} }, nil)
		c, session := s.meet()
		c.send(header(15, 16, 1))
		c.wantEnd()
		c.Close()
		session.waitClosed()
	})
}

func (r Rig) testHugeLength(t *testing.T) {
	s := r.start(t, func(session *probe) { session.limit.Store(wire.MaxFrameUnauth) }, nil)
	c, session := s.meet()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c.send([]byte{0x0a, 0x68, 0x65, 0x6c}) // "\nhel", 174,613,868 as a length
	c.wantClose(wire.CloseProtocolError)
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<10 {
		t.Errorf("%d bytes were allocated", grown)
	}
	if err := *session.broken.Load(); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("Broken was told %v", err)
	}
}

package load

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	mathrand "math/rand/v2"

	"github.com/hongyan-im/hongyan/internal/ws"
)

// Sizes of a script.
const (
	leastMessages = 4
	mostMessages  = 64       // unless more are in flight
	enoughBytes   = 32 << 10 // of payload: with fewer, a message is repeated so soon that one in the place of another may go unseen
)

// A script is a ring of different messages that every connection walks through, endlessly: what it sends, and what a
// correct server sends back. Frames are masked with random keys beforehand, for masking is the client's cost and not
// the server's.
type script struct {
	op       ws.Opcode
	size     int    // bytes of a message
	messages int    // in the ring
	sent     []byte // the ring, followed by as many frames again as may be sent at once: a batch is one piece
	want     []byte // the ring
	sentLen  int    // bytes of one frame in sent
	wantLen  int    // bytes of one frame in want
}

// newScript makes the messages of a run in which up to depth of them leave at once. To a raw server the frames are
// plain bytes, which it returns as they are.
func newScript(size, depth int, text, raw bool) *script {
	s := &script{op: ws.Binary, size: size, messages: leastMessages}
	if text {
		s.op = ws.Text
	}
	for s.messages < depth || s.messages < mostMessages && s.messages*size < enoughBytes {
		s.messages *= 2
	}
	var seed [32]byte
	rand.Read(seed[:])
	random := mathrand.NewChaCha8(seed)
	payload := make([]byte, size)
	for i := range s.messages {
		random.Read(payload)
		if text {
			for j, b := range payload {
				payload[j] = ' ' + b%('~'-' '+1)
			}
		}
		key := ws.Key(random.Uint64())
		number(payload, i, text)
		s.sent = ws.AppendMessage(s.sent, s.op, payload, &key)
		s.want = ws.AppendMessage(s.want, s.op, payload, nil)
	}
	s.sentLen, s.wantLen = len(s.sent)/s.messages, len(s.want)/s.messages
	if raw {
		s.want, s.wantLen = bytes.Clone(s.sent), s.sentLen
	}
	s.sent = append(s.sent, s.sent[:depth*s.sentLen]...)
	return s
}

// number makes the messages of a ring differ from each other, as far as so many fit into their size.
func number(payload []byte, i int, text bool) {
	switch {
	case text && len(payload) >= 3:
		payload[0], payload[1], payload[2] = 'A'+byte(i%26), 'A'+byte(i/26%26), 'A'+byte(i/26/26%26)
	case text && len(payload) >= 1:
		payload[0] = 'A' + byte(i%26)
	case len(payload) >= 4:
		binary.BigEndian.PutUint32(payload, uint32(i))
	case len(payload) >= 1:
		payload[0] = byte(i)
	}
}

// match compares b with what is wanted from position pos on. It returns the position behind the last byte that fits,
// how many messages ended before it, and how many bytes fit.
func (s *script) match(pos int, b []byte) (next, ended, fit int) {
	if end := pos + len(b); end <= len(s.want) && bytes.Equal(b, s.want[pos:end]) {
		ended = (pos%s.wantLen + len(b)) / s.wantLen
		return end % len(s.want), ended, len(b)
	}
	next = pos
	for fit < len(b) {
		n := min(len(b)-fit, s.wantLen-next%s.wantLen)
		if !bytes.Equal(b[fit:fit+n], s.want[next:next+n]) {
			return next, ended, fit
		}
		fit += n
		if (next+n)%s.wantLen == 0 {
			ended++
		}
		next = (next + n) % len(s.want)
	}
	return next, ended, fit
}

// payload is that of the wanted message at pos.
func (s *script) payload(pos int) []byte {
	end := pos - pos%s.wantLen + s.wantLen
	return s.want[end-s.size : end]
}

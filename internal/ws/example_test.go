package ws_test

import (
	"fmt"

	"github.com/hongyan-im/hongyan/internal/ws"
)

// serve is a whole server for one connection, without the connection: it takes the bytes that arrive and returns those
// to be written, and whether the connection is to be closed after them. It answers every message with itself.
type serve struct {
	head    ws.HeadReader
	reader  ws.Reader
	deflate *ws.Deflater
	closing ws.Closing
	open    bool // the handshake is done
}

var acceptor = ws.Acceptor{
	Protocols: []string{"echo"},
	Deflate:   &ws.Deflate{ServerNoContext: true, ClientNoContext: true},
}

func (s *serve) bytes(in []byte) (out []byte, done bool) {
	if !s.open {
		head, n, err := s.head.Next(in)
		if err == nil && head == nil {
			return nil, false
		}
		var request ws.Request
		if err == nil {
			err = request.Parse(head)
		}
		if err != nil {
			return err.(*ws.Refusal).AppendResponse(nil), true
		}
		var agreed ws.Agreement
		if out, agreed, err = acceptor.Accept(nil, &request); err != nil {
			return out, true
		}
		s.head.Release()
		var inflate *ws.Inflater
		if agreed.Compressed {
			inflate, s.deflate = ws.NewInflater(ws.Server, agreed.Deflate), ws.NewDeflater(ws.Server, agreed.Deflate)
		}
		s.reader, s.open = ws.NewReader(ws.Server, 64<<10, inflate), true
		in = in[n:]
	}
	for {
		ev, n, err := s.reader.Next(in)
		in = in[n:]
		if err != nil {
			return s.closing.Fail(out, err.(*ws.Error), nil), true
		}
		switch ev.Op {
		case ws.NoEvent:
			return out, s.closing.Done()
		case ws.Ping:
			out = ws.AppendMessage(out, ws.Pong, ev.Data, nil)
		case ws.Close:
			out = s.closing.Answer(out, ev, nil)
		case ws.Text, ws.Binary:
			if s.deflate != nil {
				out = s.deflate.AppendMessage(out, ev.Op, ev.Data, nil)
			} else {
				out = ws.AppendMessage(out, ev.Op, ev.Data, nil)
			}
		}
	}
}

func Example() {
	var server serve

	// The nonce and the keys of a real client are random.
	hello := ws.Hello{Host: "im.example.org", Target: "/echo", Nonce: [16]byte{1}, Protocols: []string{"echo"}}
	request, err := hello.AppendRequest(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, _ := server.bytes(request)

	var reader ws.HeadReader
	var response ws.Response
	head, n, err := reader.Next(answer)
	if err == nil {
		err = response.Parse(head)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	agreed, err := hello.Verify(&response)
	fmt.Printf("status %d, subprotocol %q, error %v, %d bytes behind the head\n", response.Status, agreed.Protocol, err, len(answer)-n)

	key := ws.Key(0x3d21fa37)
	var closing ws.Closing
	out := ws.AppendMessage(nil, ws.Ping, []byte("there?"), &key)
	out = ws.AppendMessage(out, ws.Text, []byte("鸿雁在云"), &key)
	out = closing.Start(out, ws.CodeNormal, "bye", &key)
	in, done := server.bytes(out)
	fmt.Println("server is done:", done)

	client := ws.NewReader(ws.Client, 64<<10, nil)
	for {
		ev, n, err := client.Next(in)
		if err != nil || ev.Op == ws.NoEvent {
			break
		}
		in = in[n:]
		fmt.Printf("opcode %d, code %d: %s\n", ev.Op, ev.Code, ev.Data)
	}
	// Output:
	// status 101, subprotocol "echo", error <nil>, 0 bytes behind the head
	// server is done: true
	// opcode 10, code 0: there?
	// opcode 1, code 0: 鸿雁在云
	// opcode 8, code 1000:
}

package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/hongyan-im/hongyan/internal/ws"
	"github.com/hongyan-im/hongyan/wire"
)

const shakeTimeout = 10 * time.Second

// dialWebSocket connects to the long link over WebSocket: what is written to the connection goes out in binary messages,
// and what is read are those of the server.
func dialWebSocket(ctx context.Context, network, address string) (net.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &webSocket{Conn: nc, buf: make([]byte, 16<<10)}
	err = nc.SetDeadline(time.Now().Add(shakeTimeout))
	if err == nil {
		err = c.shake(address)
	}
	if err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("no WebSocket with %s: %w", address, err)
	}
	return c, nil
}

// webSocket is a connection whose bytes travel in messages. One goroutine reads and one writes.
type webSocket struct {
	net.Conn
	reader ws.Reader
	in     []byte // read and not looked at
	got    []byte // of a message, not handed out yet
	buf    []byte
}

func (c *webSocket) shake(host string) error {
	hello := ws.Hello{Host: host, Target: "/v1/link", Protocols: []string{"hongyan.v1"}}
	for i := range hello.Nonce {
		hello.Nonce[i] = byte(rand.Uint32())
	}
	request, err := hello.AppendRequest(nil)
	if err != nil {
		return err
	}
	if _, err := c.Conn.Write(request); err != nil {
		return err
	}
	var head ws.HeadReader
	defer head.Release()
	for {
		n, err := c.Conn.Read(c.buf)
		if err != nil {
			return err
		}
		raw, used, err := head.Next(c.buf[:n])
		if err != nil {
			return err
		}
		if raw == nil {
			continue
		}
		var response ws.Response
		if err := response.Parse(raw); err != nil {
			return err
		}
		if _, err := hello.Verify(&response); err != nil {
			return err
		}
		c.reader = ws.NewReader(ws.Client, 2*wire.MaxFrame, nil)
		c.in = c.buf[used:n]
		return nil
	}
}

// Write sends one message. Pings are not answered: the requests of a device show that it lives.
func (c *webSocket) Write(p []byte) (int, error) {
	key := ws.Key(rand.Uint32())
	if _, err := c.Conn.Write(ws.AppendMessage(nil, ws.Binary, p, &key)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c *webSocket) Read(p []byte) (int, error) {
	for len(c.got) == 0 {
		event, n, err := c.reader.Next(c.in)
		if err != nil {
			return 0, err
		}
		c.in = c.in[n:]
		switch event.Op {
		case ws.Binary:
			c.got = append(c.got, event.Data...)
		case ws.Close:
			return 0, fmt.Errorf("the server closed the WebSocket with the code %d", event.Code)
		case ws.NoEvent:
			n, err := c.Conn.Read(c.buf)
			if err != nil {
				return 0, err
			}
			c.in = c.buf[:n]
		}
	}
	n := copy(p, c.got)
	c.got = c.got[n:]
	return n, nil
}

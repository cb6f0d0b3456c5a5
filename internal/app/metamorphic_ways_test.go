package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/carrier/carriertest"
	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/internal/gate/gatetest"
	"github.com/hongyan-im/hongyan/wire"
)

// way is how a device reaches the server.
type way struct {
	name string
	open func(t *testing.T, s *Server, token string) (asker, error)
}

// asker makes requests of one device, one after the other. A refusal is a *hongyan.Error, and nothing else is.
type asker interface {
	ask(op wire.Op, req, reply proto.Message) error
	hangUp()
}

var ways = []way{
	{"TCP", overLink(carriertest.DialTCP)},
	{"TLS", overLink(carriertest.DialTLS)},
	{"WebSocket", overLink(dialSocket(gate.ProtocolBinary, false))},
	{"WebSocket in JSON", overLink(dialSocket(gate.ProtocolText, true))},
	{"HTTP in JSON", byPost("application/json", protojson.Marshal, protojson.Unmarshal)},
	{"HTTP in protobuf", byPost("application/x-protobuf", proto.Marshal, proto.Unmarshal)},
}

// dialSocket makes the Dial of a long link over WebSocket.
func dialSocket(protocol string, compressed bool) func(net.Addr) (carriertest.Conn, error) {
	return func(addr net.Addr) (carriertest.Conn, error) {
		c, err := carriertest.DialTCP(addr)
		if err != nil {
			return nil, err
		}
		return gatetest.Upgrade(c, addr.String(), LinkPath, protocol, compressed)
	}
}

// overLink is the way over a long link, on which the device stays.
func overLink(dial func(net.Addr) (carriertest.Conn, error)) func(*testing.T, *Server, string) (asker, error) {
	return func(t *testing.T, s *Server, token string) (asker, error) {
		conn, err := dial(s.gate.Addrs()[0])
		if err != nil {
			return nil, err
		}
		p := newPeer(t, conn)
		if err := p.ask(wire.OpAuth, &wire.AuthRequest{Token: token}, new(wire.AuthReply)); err != nil {
			conn.Close()
			return nil, err
		}
		return p, nil
	}
}

func (p *peer) hangUp() { p.conn.Close() }

// poster asks by the short link.
type poster struct {
	client      *http.Client
	base, token string
	mediaType   string
	marshal     func(proto.Message) ([]byte, error)
	unmarshal   func([]byte, proto.Message) error
}

// byPost is the way of the short link, with bodies of a media type.
func byPost(
	mediaType string, marshal func(proto.Message) ([]byte, error), unmarshal func([]byte, proto.Message) error,
) func(*testing.T, *Server, string) (asker, error) {
	return func(_ *testing.T, s *Server, token string) (asker, error) {
		return &poster{
			client: &http.Client{Timeout: hang, Transport: &http.Transport{}}, base: "http://" + s.Addrs()[0] + "/v1/",
			token: token, mediaType: mediaType, marshal: marshal, unmarshal: unmarshal,
		}, nil
	}
}

func (p *poster) hangUp() { p.client.CloseIdleConnections() }

func (p *poster) ask(op wire.Op, req, reply proto.Message) error {
	body, err := p.marshal(req)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(http.MethodPost, p.base+wire.Path(op.String()), bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", p.mediaType)
	r.Header.Set("Authorization", "Bearer "+p.token)
	answer, err := p.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if body, err = io.ReadAll(answer.Body); err != nil {
		return err
	}
	if answer.StatusCode == http.StatusOK {
		return p.unmarshal(body, reply)
	}
	var problem struct{ Code, Detail string }
	if err := json.Unmarshal(body, &problem); err != nil {
		return fmt.Errorf("status %d with the body %q", answer.StatusCode, body)
	}
	for code, name := range hongyan.Codes() {
		if strings.EqualFold(name, problem.Code) {
			return hongyan.Errorf(code, "%s", problem.Detail)
		}
	}
	return errors.New("no such code: " + problem.Code)
}

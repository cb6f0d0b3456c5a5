package torture

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/wire"
)

const (
	replyTimeout = 8 * time.Second // after which a connection is given up, as in the SDK
	dialTimeout  = 5 * time.Second
	redialRest   = 100 * time.Millisecond
)

var errNoReply = errors.New("no answer in time")

// asker makes requests. A refusal is a *hongyan.Error; after any other error nobody knows what came of it.
type asker interface {
	ask(ctx context.Context, op wire.Op, request, reply proto.Message) error
	close()
}

// insist asks until there is an answer. The request must be one that may be repeated.
func insist(ctx context.Context, a asker, op wire.Op, request, reply proto.Message) error {
	ctx, cancel := context.WithTimeoutCause(ctx, hang, errNoReply)
	defer cancel()
	for {
		err := a.ask(ctx, op, request, reply)
		if refusal := new(hongyan.Error); err == nil || errors.As(err, &refusal) && !refusal.Code.Retryable() {
			return err
		}
		if rest(ctx, redialRest); ctx.Err() != nil {
			return err
		}
	}
}

// dialOptions says how a way connects: always through the relay, whatever addresses the server tells of itself.
func dialOptions(w way, relay string) client.DialOptions {
	o := client.DialOptions{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		if w == linkWS {
			return dialWebSocket(ctx, network, relay)
		}
		return new(net.Dialer).DialContext(ctx, network, relay)
	}}
	if w == sdkTLS || w == linkTLS {
		o.Secure, o.TrustFirst = true, func(string) error { return nil }
	}
	return o
}

// link is a long link without the SDK: it connects when somebody asks and it has none.
type link struct {
	address, token string
	options        client.DialOptions
	up             func() // told of every new connection

	mu   sync.Mutex
	conn *client.Conn
}

func newLink(address string, d *device, notify func(*wire.Notify), up func()) *link {
	l := &link{address: address, token: d.Token, options: dialOptions(d.Way, address), up: up}
	l.options.OnNotify = notify
	return l
}

func (l *link) connection(ctx context.Context) (*client.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		if l.conn.Err() == nil {
			return l.conn, nil
		}
		l.conn.Close()
		l.conn = nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, err := client.Dial(ctx, l.address, l.options)
	if err != nil {
		return nil, err
	}
	if _, err := c.Auth(ctx, l.token); err != nil {
		c.Close()
		return nil, fmt.Errorf("not let in: %v", err)
	}
	l.conn = c
	l.up()
	return c, nil
}

func (l *link) ask(ctx context.Context, op wire.Op, request, reply proto.Message) error {
	c, err := l.connection(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, replyTimeout, errNoReply)
	defer cancel()
	if err = c.Do(ctx, op, request, reply); errors.Is(err, errNoReply) {
		go c.Close() // its goroutines may be stuck in a write for a while
	}
	return err
}

// close ends the connection, and returns when nobody is told of anything any more. Whoever asks again connects again.
func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

// short asks by HTTP.
type short struct {
	base, token string
	http        *http.Client
}

func newShort(address string, d *device) *short {
	transport := &http.Transport{
		MaxIdleConnsPerHost: 4, IdleConnTimeout: 10 * time.Second, ResponseHeaderTimeout: maxWait + replyTimeout,
		TLSClientConfig: &tls.Config{}, DisableCompression: true,
	}
	return &short{base: "http://" + address + "/v1/", token: d.Token, http: &http.Client{Transport: transport}}
}

func (s *short) close() { s.http.CloseIdleConnections() }

const typeProtobuf = "application/x-protobuf"

// request makes an HTTP request, and returns the answer if it is a 200.
func (s *short) request(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", typeProtobuf)
		r.Header.Set("Accept", typeProtobuf)
	}
	answer, err := s.http.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer answer.Body.Close()
	var problem struct{ Code, Detail string }
	if err := json.NewDecoder(answer.Body).Decode(&problem); err != nil {
		return nil, fmt.Errorf("%s is answered with %s", path, answer.Status)
	}
	for code, name := range hongyan.Codes() {
		if strings.EqualFold(name, problem.Code) {
			return nil, hongyan.Errorf(code, "%s", problem.Detail)
		}
	}
	return nil, fmt.Errorf("%s is answered with %s, %q", path, answer.Status, problem.Code)
}

func (s *short) ask(ctx context.Context, op wire.Op, request, reply proto.Message) error {
	timeout := replyTimeout
	if r, ok := request.(*wire.SyncRequest); ok {
		timeout += time.Duration(r.WaitMs) * time.Millisecond
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errNoReply)
	defer cancel()
	body, err := proto.Marshal(request)
	if err != nil {
		return err
	}
	row, ok := wire.Lookup(op)
	if !ok {
		return fmt.Errorf("there is no operation %d", op)
	}
	answer, err := s.request(ctx, http.MethodPost, wire.Path(row.Name), body)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	return wire.Unmarshal(text, reply)
}

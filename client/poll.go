package client

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// The short link, and limits of what is asked there.
const (
	shortLink      = "/v1/"
	typeProtobuf   = "application/x-protobuf"
	pollWait       = 25 * time.Second        // as long as servers hold a request for news
	pollLost       = pollWait + ReplyTimeout // then it is lost
	pollRequests   = 8                       // requests of one poller at a time, besides the one for news
	maxProblem     = 64 << 10                // bytes of a refusal
	maxShortAnswer = 2 << 20                 // bytes of an answer: a frame, and what its JSON takes more
)

// poller is the stream of frames of the long link for networks that let nothing but HTTP through: it makes every frame a
// request of the short link, and an answer a frame. While the device presents keys it asks for what is newer than the
// last one, and makes a notification of the answer: a bare one, for the pull that follows brings the rest.
type poller struct {
	base   string // "https://chat.example.com:443/v1/"
	http   *http.Client
	in     *io.PipeReader // what Read reads: frames of the server
	out    *io.PipeWriter
	frames wire.Decoder // of what is written
	room   chan struct{}
	ctx    context.Context // until Close
	end    context.CancelCauseFunc
	work   sync.WaitGroup

	write sync.Mutex // held while a frame goes to out

	mu    sync.Mutex
	token string        // says who is there
	key   []byte        // to present
	fresh chan struct{} // holds a token when key is another
	polls bool
}

// newPoller asks a server whose host is written with its port; dial makes a connection to it, encrypted already if secure.
func newPoller(dial func(context.Context) (net.Conn, error), host string, secure bool) *poller {
	p := &poller{
		base: shortBase(host, secure), http: newShortClient(dial),
		room: make(chan struct{}, pollRequests), fresh: make(chan struct{}, 1),
	}
	p.in, p.out = io.Pipe()
	p.frames.SetLimit(wire.MaxFrame)
	p.ctx, p.end = context.WithCancelCause(context.Background())
	return p
}

// shortBase is where the operations of the short link lie.
func shortBase(host string, secure bool) string {
	if secure {
		return "https://" + host + shortLink
	}
	return "http://" + host + shortLink
}

// newShortClient makes an HTTP client for one server. Close its idle connections after use.
func newShortClient(dial func(context.Context) (net.Conn, error)) *http.Client {
	connect := func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
	return &http.Client{
		Transport: &http.Transport{
			DialContext: connect, DialTLSContext: connect, DisableCompression: true,
			MaxConnsPerHost: pollRequests + 1, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute,
		},
		// What leads elsewhere is no server, but a page that somebody is to log in to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Read returns frames of the server.
func (p *poller) Read(b []byte) (int, error) { return p.in.Read(b) }

// Write takes frames of the device. It waits while there are too many requests.
func (p *poller) Write(b []byte) (int, error) {
	p.frames.Feed(b)
	for {
		f, ok, err := p.frames.Next()
		if err != nil || !ok {
			return len(b), err
		}
		f.Body = bytes.Clone(f.Body)
		select {
		case p.room <- struct{}{}:
		case <-p.ctx.Done():
			return 0, context.Cause(p.ctx)
		}
		p.start(func() {
			defer func() { <-p.room }()
			p.ask(f)
		})
	}
}

// start runs a part of the work, unless the stream has ended.
func (p *poller) start(part func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() == nil {
		p.work.Go(part)
	}
}

// SetWriteDeadline does nothing: every request has its own end.
func (p *poller) SetWriteDeadline(time.Time) error { return nil }

// Close ends all requests and waits for them.
func (p *poller) Close() error {
	p.mu.Lock() // whoever has it may start something, nobody after that
	p.fail(ErrClosed)
	p.mu.Unlock()
	p.work.Wait()
	p.http.CloseIdleConnections()
	return nil
}

// fail ends the stream.
func (p *poller) fail(err error) {
	p.end(err)
	_ = p.out.CloseWithError(err) // reading and writing fail from now on, reading with err
}

// say gives the device a frame.
func (p *poller) say(op wire.Op, seq uint32, body []byte) {
	p.write.Lock()
	defer p.write.Unlock()
	_, _ = p.out.Write(wire.AppendFrame(nil, wire.Frame{Op: op, Seq: seq, Body: body}))
}

func (p *poller) sayMessage(op wire.Op, seq uint32, m proto.Message) {
	if body, err := proto.Marshal(m); err == nil {
		p.say(op, seq, body)
	}
}

// ask makes the request of a frame.
func (p *poller) ask(f wire.Frame) {
	row, ok := wire.Lookup(f.Op)
	if !ok {
		unknown := hongyan.Errorf(hongyan.UnknownOperation, "there is no operation %d", f.Op)
		p.sayMessage(wire.OpError, f.Seq, wire.FromError(f.Op, unknown))
		return
	}
	request, err := http.NewRequestWithContext(p.ctx, http.MethodPost, p.base+wire.Path(row.Name), bytes.NewReader(f.Body))
	if err != nil {
		p.fail(err)
		return
	}
	request.Header.Set("Content-Type", typeProtobuf)
	token := ""
	if f.Op != wire.OpRegister && f.Op != wire.OpLogin && f.Op != wire.OpAuth { // which say in the body who is there
		p.mu.Lock()
		token = p.token
		p.mu.Unlock()
	}
	body, err := p.do(request, token)
	if e := refusal(err); e != nil {
		p.sayMessage(wire.OpError, f.Seq, wire.FromError(f.Op, e))
		return
	}
	if err != nil {
		p.fail(fmt.Errorf("the connection broke: %w", err))
		return
	}
	p.learn(f, body)
	p.say(f.Op.Reply(), f.Seq, body)
}

// do makes a request with a token, if there is one. A refusal is a *hongyan.Error; an answer of somebody else than a server
// is another error.
func (p *poller) do(request *http.Request, token string) ([]byte, error) {
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := p.http.Do(request)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // the rest says what was asked, with the key
		}
		return nil, err
	}
	defer response.Body.Close()
	return readShort(response)
}

// readShort reads an answer of the short link: the body of a success, or the *hongyan.Error of a problem (RFC 9457). What is
// neither comes from something between client and server.
func readShort(r *http.Response) ([]byte, error) {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch {
	case r.StatusCode/100 == 2 && (kind == typeProtobuf || kind == "application/json"):
		body, err := io.ReadAll(io.LimitReader(r.Body, maxShortAnswer+1))
		if err == nil && len(body) > maxShortAnswer {
			err = fmt.Errorf("the answer has more than %d bytes", maxShortAnswer)
		}
		return body, err
	case kind != "application/problem+json":
		return nil, fmt.Errorf("something answered with %s that is no server", r.Status)
	}
	var problem struct {
		Detail, Code, Hint string
		RetryAfterMS       int64
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, maxProblem)).Decode(&problem); err != nil {
		return nil, fmt.Errorf("a refusal with %s cannot be read: %v", r.Status, err)
	}
	e := hongyan.Errorf(hongyan.Internal, "%s", problem.Detail)
	for code, name := range hongyan.Codes() {
		if strings.EqualFold(name, problem.Code) {
			e.Code = code
		}
	}
	return nil, e.WithHint(problem.Hint).WithRetryAfter(time.Duration(problem.RetryAfterMS) * time.Millisecond)
}

// present says that the device holds everything up to a key: what is newer is asked for with that one from now on.
func (p *poller) present(key []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(key) == 0 || bytes.Equal(key, p.key) || p.ctx.Err() != nil {
		return
	}
	p.key = bytes.Clone(key)
	select {
	case p.fresh <- struct{}{}:
	default:
	}
	if !p.polls && p.token != "" {
		p.polls = true
		p.work.Go(p.poll)
	}
}

// learn takes the ticket from an answer that says who is there.
func (p *poller) learn(f wire.Frame, body []byte) {
	session := new(wire.AuthReply)
	switch f.Op {
	case wire.OpAuth:
		if wire.Unmarshal(body, session) != nil {
			return
		}
	case wire.OpRegister, wire.OpLogin:
		login := new(wire.LoginReply)
		if wire.Unmarshal(body, login) != nil {
			return
		}
		session = login.GetSession()
	default:
		return
	}
	token := session.GetTicket()
	if token == "" { // of a server API key there is none
		auth := new(wire.AuthRequest)
		if wire.Unmarshal(f.Body, auth) == nil {
			token = auth.Token
		}
	}
	p.mu.Lock()
	p.token = token
	p.mu.Unlock()
}

// poll asks for news until the stream ends. After an answer that has some it waits for the device to present another key,
// though not for ever: with the old one it would get the same answer again.
func (p *poller) poll() {
	for p.ctx.Err() == nil {
		news, err := p.askNews()
		if e := refusal(err); e != nil {
			switch {
			case e.Code == hongyan.Unavailable: // the server is leaving
				p.sayMessage(wire.OpClose, 0, &wire.Close{
					Reason: wire.CloseDraining, Message: e.Message, ReconnectAfterMs: uint32(e.RetryAfter.Milliseconds()),
				})
				return
			case e.Code.Retryable():
				_ = sleepUntil(p.ctx, time.Now().Add(max(e.RetryAfter, time.Second)))
				continue
			}
		}
		if err != nil {
			p.fail(fmt.Errorf("the connection broke: %v", err)) // a refusal is none of whatever else was asked
			return
		}
		if news == nil {
			continue
		}
		p.sayMessage(wire.OpNotify, 0, news)
		again := time.NewTimer(pollWait)
		select {
		case <-p.fresh:
		case <-again.C:
		case <-p.ctx.Done():
		}
		again.Stop()
	}
}

// askNews asks once, and returns a notification if there is something newer than the key.
func (p *poller) askNews() (*wire.Notify, error) {
	select {
	case <-p.fresh: // what is asked with now
	default:
	}
	p.mu.Lock()
	key, token := p.key, p.token
	p.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(p.ctx, pollLost, errNoReply)
	defer cancel()
	query := url.Values{
		"key": {base64.RawURLEncoding.EncodeToString(key)}, "limit": {"1"},
		"waitMs": {strconv.FormatInt(pollWait.Milliseconds(), 10)},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+wire.Path("Sync")+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	body, err := p.do(request, token)
	if err != nil {
		return nil, err
	}
	page := new(wire.SyncReply)
	if err := wire.UnmarshalJSON(body, page); err != nil {
		return nil, fmt.Errorf("the server's news cannot be read: %v", err)
	}
	if len(page.Changes) == 0 && page.Reset_ == nil && !page.More {
		return nil, nil
	}
	return &wire.Notify{Version: page.Version}, nil
}

package client

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// testServer is a small server of the long link over loopback TCP: accounts, direct messages with deduplication, logs
// with keys, resets and backfill, notifications with and without changes. It does what docs/PROTOCOL.md says, in memory,
// and what tests tell it to do wrong.
type testServer struct {
	t     *testing.T
	ln    net.Listener
	cert  tls.Certificate
	conns sync.WaitGroup

	mu         sync.Mutex
	open       map[*testSession]bool
	accounts   map[hongyan.UserID]*testAccount
	messages   map[hongyan.ConversationID][]hongyan.Message
	nextID     hongyan.MessageID
	generation uint64

	needTLS   bool
	tellsPin  string // tls_pin of every answer to who is there
	silent    bool   // no notifications
	bare      bool   // no changes in notifications
	hints     *wire.Hints
	intercept func(s *testSession, f wire.Frame) verdict // asked about every request, under mu
	accepted  int                                        // connections
	plain     int                                        // and how many of them were plain
	requests  map[wire.Op]int
	canned    map[wire.Op]proto.Message // answers to what the server does not do itself
}

// verdict is what the server does with a request.
type verdict struct {
	err        error       // refuses it
	cutBefore  bool        // cuts the connection instead of doing it
	cutAfter   bool        // does it, and cuts the connection instead of answering
	close      *wire.Close // closes the connection with a reason
	noAnswer   bool        // does it and says nothing
	afterwards func()      // runs when the answer was written
}

type testAccount struct {
	id       hongyan.UserID
	name     string
	password string
	tokens   map[string]hongyan.DeviceID
	log      []hongyan.Change
	version  hongyan.Version
	trim     hongyan.Version
	results  map[hongyan.ClientID]*wire.SendReply
	sends    int // requests, repetitions included
	read     map[hongyan.ConversationID]hongyan.Ordinal
	acked    hongyan.Version
}

// testSession is one connection.
type testSession struct {
	nc      net.Conn
	account *testAccount
	device  hongyan.DeviceID
	stands  hongyan.Version // what the device stands at, for inline notifications
	tls     bool
}

func newServer(t *testing.T) *testServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &testServer{
		t: t, ln: ln, generation: 7, nextID: 100,
		open:     map[*testSession]bool{},
		accounts: map[hongyan.UserID]*testAccount{},
		messages: map[hongyan.ConversationID][]hongyan.Message{},
		requests: map[wire.Op]int{},
		hints: &wire.Hints{
			HeartbeatMinMs: 50, HeartbeatMaxMs: 100, ReconnectMinMs: 5, ReconnectMaxMs: 20, MaxFrame: wire.MaxFrame,
		},
		cert: selfSigned(t),
	}
	s.conns.Go(s.accept)
	t.Cleanup(s.close)
	return s
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "hongyan test"},
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:     []string{"chat.example"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (s *testServer) addr() string { return s.ln.Addr().String() }

func (s *testServer) pin() string {
	leaf, err := x509.ParseCertificate(s.cert.Certificate[0])
	if err != nil {
		s.t.Fatal(err)
	}
	return fingerprint(leaf)
}

func (s *testServer) close() {
	s.ln.Close()
	s.cutAll()
	s.conns.Wait()
}

// cutAll cuts all connections.
func (s *testServer) cutAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		c.nc.Close()
	}
}

// do changes the server.
func (s *testServer) do(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// on makes the server ask about requests of one operation.
func (s *testServer) on(op wire.Op, judge func(s *testSession, f wire.Frame) verdict) {
	s.do(func() {
		s.intercept = func(ts *testSession, f wire.Frame) verdict {
			if f.Op != op {
				return verdict{}
			}
			return judge(ts, f)
		}
	})
}

func (s *testServer) accept() {
	for {
		nc, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.conns.Go(func() { s.serve(nc) })
	}
}

// peeked is a connection whose first byte was looked at.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

func (s *testServer) serve(nc net.Conn) {
	ts := &testSession{nc: nc}
	var cert tls.Certificate
	s.do(func() { s.open[ts], cert = true, s.cert })
	defer s.do(func() { delete(s.open, ts) })
	defer nc.Close()
	r := bufio.NewReader(nc)
	first, err := r.Peek(1)
	if err != nil {
		return
	}
	var in net.Conn = peeked{nc, r}
	if first[0] == 0x16 {
		in = tls.Server(in, &tls.Config{Certificates: []tls.Certificate{cert}})
		defer in.Close()
		ts.tls = true
	}
	s.do(func() {
		ts.nc = in
		s.accepted++
		if !ts.tls {
			s.plain++
		}
	})
	var frames wire.Decoder
	frames.SetLimit(wire.MaxFrame)
	buf := make([]byte, 4096)
	for {
		n, err := in.Read(buf)
		frames.Feed(buf[:n])
		for {
			f, ok, ferr := frames.Next()
			if ferr != nil {
				return
			}
			if !ok {
				break
			}
			if !s.frame(ts, f) {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// frame answers one request. It reports whether the connection goes on.
func (s *testServer) frame(ts *testSession, f wire.Frame) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[f.Op]++
	if s.needTLS && !ts.tls {
		s.write(ts, wire.OpClose, 0, &wire.Close{Reason: wire.CloseTLSRequired, Message: "come back with TLS"})
		return false
	}
	var v verdict
	if s.intercept != nil {
		v = s.intercept(ts, f)
	}
	switch {
	case v.close != nil:
		s.write(ts, wire.OpClose, 0, v.close)
		return false
	case v.cutBefore:
		return false
	case v.err != nil:
		s.write(ts, wire.OpError, f.Seq, wire.FromError(f.Op, v.err))
		return true
	}
	reply, err := s.answer(ts, f)
	switch {
	case v.cutAfter:
		return false
	case v.noAnswer:
	case err != nil:
		s.write(ts, wire.OpError, f.Seq, wire.FromError(f.Op, err))
	default:
		s.write(ts, f.Op.Reply(), f.Seq, reply)
	}
	if v.afterwards != nil {
		v.afterwards()
	}
	return true
}

func (s *testServer) write(ts *testSession, op wire.Op, seq uint32, body proto.Message) {
	b, err := wire.Append(nil, op, seq, body)
	if err != nil {
		s.t.Error(err)
		return
	}
	ts.nc.SetWriteDeadline(time.Now().Add(10 * time.Second))
	ts.nc.Write(b) // a client that is gone is none of this side's business
}

// answer does what a request asks for.
func (s *testServer) answer(ts *testSession, f wire.Frame) (proto.Message, error) {
	op, ok := wire.Lookup(f.Op)
	if !ok {
		return nil, hongyan.Errorf(hongyan.UnknownOperation, "there is no operation %d", f.Op)
	}
	body := op.NewRequest()
	if err := wire.Unmarshal(f.Body, body); err != nil {
		return nil, err
	}
	if ts.account == nil && op.Access != wire.Anyone {
		return nil, hongyan.Errorf(hongyan.Unauthenticated, "who is there?")
	}
	switch q := body.(type) {
	case *wire.RegisterRequest:
		if s.named(q.Name) != nil {
			return nil, hongyan.Errorf(hongyan.Exists, "the name is taken").WithHint("choose another")
		}
		return s.login(ts, s.addAccount(q.Name, q.Password), q.Device, ""), nil
	case *wire.LoginRequest:
		a := s.named(q.Name)
		if a == nil || a.password != q.Password {
			return nil, hongyan.Errorf(hongyan.BadCredentials, "wrong name or password")
		}
		return s.login(ts, a, q.Device, q.DeviceToken), nil
	case *wire.AuthRequest:
		for _, a := range s.accounts {
			if d, ok := a.tokens[q.Token]; ok {
				return s.authenticate(ts, a, d), nil
			}
		}
		return nil, hongyan.Errorf(hongyan.Revoked, "the device was ended").WithHint("log in again")
	case *wire.HeartbeatRequest:
		return s.heartbeat(ts, q)
	case *wire.SyncRequest:
		return s.sync(ts, q)
	case *wire.BackfillRequest:
		return s.backfill(ts.account, q)
	case *wire.AckRequest:
		return &wire.AckReply{}, s.ack(ts.account, q.Key)
	case *wire.SendRequest:
		return s.send(ts.account, q)
	case *wire.RecallRequest:
		return &wire.RecallReply{}, s.recall(ts.account, q)
	case *wire.MarkReadRequest:
		return &wire.MarkReadReply{}, s.markRead(ts.account, q)
	case *wire.HistoryRequest:
		return s.history(ts.account, q)
	case *wire.ProfilesRequest:
		return s.profiles(q), nil
	}
	if reply := s.canned[f.Op]; reply != nil {
		return reply, nil
	}
	return op.NewReply(), nil
}

func (s *testServer) named(name string) *testAccount {
	for _, a := range s.accounts {
		if a.name == name {
			return a
		}
	}
	return nil
}

func (s *testServer) addAccount(name, password string) *testAccount {
	a := &testAccount{
		id: hongyan.UserID(10 + len(s.accounts)), name: name, password: password,
		tokens:  map[string]hongyan.DeviceID{},
		results: map[hongyan.ClientID]*wire.SendReply{},
		read:    map[hongyan.ConversationID]hongyan.Ordinal{},
	}
	s.accounts[a.id] = a
	return a
}

func (s *testServer) login(ts *testSession, a *testAccount, d *wire.Device, token string) *wire.LoginReply {
	device, known := a.tokens[token]
	if !known {
		device = hongyan.DeviceID(1000*uint64(a.id) + uint64(len(a.tokens)))
	}
	delete(a.tokens, token)
	token = fmt.Sprintf("hyd_%s_%d_%d", d.Name, device, s.requests[wire.OpLogin])
	a.tokens[token] = device
	return &wire.LoginReply{DeviceToken: token, Session: s.authenticate(ts, a, device)}
}

func (s *testServer) authenticate(ts *testSession, a *testAccount, d hongyan.DeviceID) *wire.AuthReply {
	ts.account, ts.device = a, d
	ticket := fmt.Sprintf("hya_%d", d)
	a.tokens[ticket] = d
	return &wire.AuthReply{
		User: uint64(a.id), Name: a.name, Device: uint64(d), Ticket: ticket,
		TimeMs: time.Now().UnixMilli(), Head: uint64(a.version), Hints: s.hints,
		TlsPin: s.tellsPin,
	}
}

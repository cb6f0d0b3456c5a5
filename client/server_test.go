package client

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"math/big"
	"net"
	"slices"
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
	silent    bool // no notifications
	bare      bool // no changes in notifications
	hints     *wire.Hints
	intercept func(s *testSession, f wire.Frame) verdict // asked about every request, under mu
	plain     int                                        // plain connections that were accepted
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
	s.do(func() { s.open[ts] = true })
	defer s.do(func() { delete(s.open, ts) })
	defer nc.Close()
	r := bufio.NewReader(nc)
	first, err := r.Peek(1)
	if err != nil {
		return
	}
	var in net.Conn = peeked{nc, r}
	if first[0] == 0x16 {
		in = tls.Server(in, &tls.Config{Certificates: []tls.Certificate{s.cert}})
		defer in.Close()
		ts.tls = true
	}
	s.do(func() {
		ts.nc = in
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
	}
}

// change appends a change to the log of an account and notifies its sessions.
func (s *testServer) change(a *testAccount, c hongyan.Change) {
	previous := a.version
	a.version += 2 // with gaps
	c.Version = a.version
	a.log = append(a.log, c)
	if s.silent {
		return
	}
	for ts := range s.open {
		if ts.account != a {
			continue
		}
		n := &wire.Notify{Version: uint64(a.version)}
		if ts.stands == previous && !s.bare {
			n.Previous, n.Changes = uint64(previous), []*wire.Change{wire.FromChange(c)}
			n.Key = hongyan.KeyAt(s.generation, a.id, a.version).Token()
			ts.stands = a.version
		}
		s.write(ts, wire.OpNotify, 0, n)
	}
}

func (s *testServer) ack(a *testAccount, token []byte) error {
	key, err := hongyan.ParseSyncKey(token)
	if err == nil && key.Generation == s.generation {
		a.acked = max(a.acked, key.Version())
	}
	return err
}

func (s *testServer) heartbeat(ts *testSession, q *wire.HeartbeatRequest) (*wire.HeartbeatReply, error) {
	if len(q.Key) == 0 || ts.account == nil {
		return &wire.HeartbeatReply{}, nil
	}
	key, err := hongyan.ParseSyncKey(q.Key)
	if err != nil {
		return nil, err
	}
	return &wire.HeartbeatReply{
		Head: uint64(ts.account.version), Newer: key.Version() < ts.account.version, TimeMs: time.Now().UnixMilli(),
	}, s.ack(ts.account, q.Key)
}

// testPage is how many changes a page holds: few, so that tests see several pages.
const testPage = 3

func (s *testServer) sync(ts *testSession, q *wire.SyncRequest) (*wire.SyncReply, error) {
	a := ts.account
	key, err := hongyan.ParseSyncKey(q.Key)
	if err != nil {
		return nil, err
	}
	head := hongyan.KeyAt(s.generation, a.id, a.version)
	reset := func(why wire.ResetReason) *wire.SyncReply {
		r := &wire.Reset{Reason: why}
		for id := range s.messages {
			if _, mine := id.Peer(a.id); mine {
				r.Conversations = append(r.Conversations, s.conversation(a, id, true))
			}
		}
		if a.version > a.trim {
			r.Backfill = s.backfillToken(a.trim, a.version)
		}
		ts.stands = a.version
		return &wire.SyncReply{Key: head.Token(), Version: uint64(a.version), Reset_: r}
	}
	switch {
	case key.IsZero():
		return reset(wire.ResetFirst), nil
	case key.User != a.id:
		return nil, hongyan.Errorf(hongyan.KeyInvalid, "the key is another account's")
	case key.Generation != s.generation:
		return reset(wire.ResetGeneration), nil
	case key.Version() > a.version:
		return nil, hongyan.Errorf(hongyan.KeyAhead, "the key is ahead")
	case key.Version() < a.trim:
		return reset(wire.ResetTrimmed), nil
	}
	if err := s.ack(a, q.Key); err != nil {
		return nil, err
	}
	changes, more := a.between(key.Version(), a.version)
	upTo := a.version
	if more {
		upTo = changes[len(changes)-1].Version
	} else {
		ts.stands = upTo
	}
	return &wire.SyncReply{
		Changes: wire.FromAll(wire.FromChange, changes), Conversations: s.mentioned(a, changes),
		Key: hongyan.KeyAt(s.generation, a.id, upTo).Token(), Version: uint64(upTo), More: more,
	}, nil
}

// between returns a page of the changes above one version up to another.
func (a *testAccount) between(above, upTo hongyan.Version) (changes []hongyan.Change, more bool) {
	for _, c := range a.log {
		if c.Version <= max(above, a.trim) || c.Version > upTo {
			continue
		}
		if len(changes) == testPage {
			return changes, true
		}
		changes = append(changes, c)
	}
	return changes, false
}

func (s *testServer) mentioned(a *testAccount, changes []hongyan.Change) []*wire.Conversation {
	var seen []hongyan.ConversationID
	var list []*wire.Conversation
	for _, c := range changes {
		if c.Message != nil && !slices.Contains(seen, c.Message.Conversation) {
			seen = append(seen, c.Message.Conversation)
			list = append(list, s.conversation(a, c.Message.Conversation, false))
		}
	}
	return list
}

func (s *testServer) backfillToken(at, upTo hongyan.Version) []byte {
	b := binary.BigEndian.AppendUint64(nil, s.generation)
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	return binary.BigEndian.AppendUint64(b, uint64(upTo))
}

func (s *testServer) backfill(a *testAccount, q *wire.BackfillRequest) (*wire.BackfillReply, error) {
	if len(q.Token) != 24 || binary.BigEndian.Uint64(q.Token) != s.generation {
		return nil, hongyan.Errorf(hongyan.KeyInvalid, "the token cannot be continued")
	}
	at, upTo := hongyan.Version(binary.BigEndian.Uint64(q.Token[8:])), hongyan.Version(binary.BigEndian.Uint64(q.Token[16:]))
	changes, more := a.between(at, upTo)
	r := &wire.BackfillReply{Changes: wire.FromAll(wire.FromChange, changes), Conversations: s.mentioned(a, changes)}
	if more {
		r.Token = s.backfillToken(changes[len(changes)-1].Version, upTo)
	}
	return r, nil
}

func (s *testServer) conversation(a *testAccount, id hongyan.ConversationID, withLast bool) *wire.Conversation {
	peer, _ := id.Peer(a.id)
	list := s.messages[id]
	c := hongyan.Conversation{ID: id, Last: hongyan.Ordinal(len(list)), Read: a.read[id]}
	if p := s.accounts[peer]; p != nil {
		c.Title, c.Peer = p.name, &hongyan.Profile{User: p.id, Name: p.name}
	}
	for _, m := range list {
		if m.From != a.id && m.Ordinal > c.Read && m.State == hongyan.Present {
			c.Unread++
		}
	}
	if withLast && len(list) > 0 {
		c.LastMessage = &list[len(list)-1]
	}
	return wire.FromConversation(c)
}

func (s *testServer) send(a *testAccount, q *wire.SendRequest) (*wire.SendReply, error) {
	a.sends++
	id, err := wire.ToClientID(q.ClientId)
	if err != nil {
		return nil, err
	}
	content, err := wire.ToContent(q.Content)
	if err != nil {
		return nil, err
	}
	if r := a.results[id]; r != nil {
		return r, nil
	}
	age := time.Now().UnixMilli() - q.FirstAttemptMs
	switch {
	case age > 7*24*3_600_000:
		return nil, hongyan.Errorf(hongyan.TooLate, "first attempted too long ago")
	case age < -3_600_000:
		return nil, hongyan.Errorf(hongyan.ClockSkew, "first attempted in the future")
	}
	var conv hongyan.ConversationID
	if name := q.GetName(); name != "" {
		peer := s.named(name)
		if peer == nil {
			return nil, hongyan.Errorf(hongyan.NotFound, "there is no account %s", name)
		}
		conv = hongyan.Direct(a.id, peer.id)
	} else if conv, err = hongyan.ParseConversation(q.GetConversation()); err != nil {
		return nil, err
	}
	m := s.post(conv, a.id, id, content)
	a.results[id] = &wire.SendReply{
		Id: uint64(m.ID), Conversation: conv.String(), Ordinal: uint64(m.Ordinal), TimeMs: m.TimeMS,
	}
	return a.results[id], nil
}

// post stores a message and tells both sides.
func (s *testServer) post(conv hongyan.ConversationID, from hongyan.UserID, id hongyan.ClientID, content hongyan.Content) hongyan.Message {
	s.nextID++
	m := hongyan.Message{
		ID: s.nextID, Conversation: conv, Ordinal: hongyan.Ordinal(len(s.messages[conv]) + 1), From: from,
		FromName: s.accounts[from].name, ClientID: id, TimeMS: time.Now().UnixMilli(), Content: content,
	}
	s.messages[conv] = append(s.messages[conv], m)
	x, y, _ := conv.Members()
	for _, member := range slices.Compact([]hongyan.UserID{x, y}) {
		s.change(s.accounts[member], hongyan.Change{Message: &m})
	}
	return m
}

func (s *testServer) recall(a *testAccount, q *wire.RecallRequest) error {
	conv, err := hongyan.ParseConversation(q.Conversation)
	if err != nil {
		return err
	}
	m := &s.messages[conv][q.Ordinal-1]
	m.State, m.Content = hongyan.Recalled, hongyan.Content{}
	x, y, _ := conv.Members()
	for _, member := range []hongyan.UserID{x, y} {
		s.change(s.accounts[member], hongyan.Change{Recall: &hongyan.Recall{
			Conversation: conv, Ordinal: m.Ordinal, ID: m.ID, By: a.id,
		}})
	}
	return nil
}

func (s *testServer) markRead(a *testAccount, q *wire.MarkReadRequest) error {
	conv, err := hongyan.ParseConversation(q.Conversation)
	if err != nil {
		return err
	}
	a.read[conv] = max(a.read[conv], hongyan.Ordinal(q.Ordinal))
	view, err := wire.ToConversation(s.conversation(a, conv, false))
	if err != nil {
		return err
	}
	s.change(a, hongyan.Change{Conversation: &view})
	if peer, _ := conv.Peer(a.id); peer != a.id {
		r := hongyan.Receipt{Conversation: conv, Reader: a.id, Delivered: a.read[conv], Read: a.read[conv]}
		s.change(s.accounts[peer], hongyan.Change{Receipt: &r})
	}
	return nil
}

func (s *testServer) history(a *testAccount, q *wire.HistoryRequest) (*wire.HistoryReply, error) {
	conv, err := hongyan.ParseConversation(q.Conversation)
	if err != nil {
		return nil, err
	}
	list := s.messages[conv]
	if q.Before > 0 && q.Before <= uint64(len(list)) {
		list = list[:q.Before-1]
	}
	more := len(list) > int(q.Limit)
	if more {
		list = list[len(list)-int(q.Limit):]
	}
	return &wire.HistoryReply{Messages: wire.FromAll(wire.FromMessage, list), More: more}, nil
}

func (s *testServer) profiles(q *wire.ProfilesRequest) *wire.ProfilesReply {
	r := new(wire.ProfilesReply)
	for _, u := range q.Users {
		if a := s.accounts[hongyan.UserID(u)]; a != nil {
			r.Profiles = append(r.Profiles, &wire.Profile{User: u, Name: a.name, DisplayName: "Display of " + a.name})
		}
	}
	return r
}

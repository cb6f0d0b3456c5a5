// Package webwx lets clients and bots that were written for the Web WeChat protocol use this server: login by QR code,
// contacts and groups, synccheck and webwxsync, sending, revoking and media. It serves its own server only, and talks to
// nobody else.
//
//	request ─► exchange (who, parameters, body) ─► handler ─► api.Start ─► operation.Desk ─► handler ─► JSON, script or XML
//
// It is an adapter. It has no queue, no cursor and no message of its own: a session is a device of an account, whose
// token is sealed in the cookies and the sid, a SyncKey is a version of the account's log, and the names of users, groups
// and messages are computed from the numbers that they have everywhere else. So a session outlives the server's process.
// What is in memory is bounded and may be lost: logins that nobody has confirmed yet, and uploads that are not complete.
//
// The protocol has no document. Comments say which client needs what.
package webwx

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/api"
	"github.com/hongyan-im/hongyan/internal/media"
	"github.com/hongyan-im/hongyan/internal/operation"
)

// Limits of the adapter.
const (
	maxBody     = 1 << 20          // bytes of a request's body, but of an upload's
	bodyTime    = 30 * time.Second // for a whole body to arrive
	maxSyncWait = 25 * time.Second // a synccheck is held so long: several clients give up after 30 s
)

// root is the folder of most endpoints.
const root = "/cgi-bin/mmwebwx-bin/"

// Config is what a Server is made of.
type Config struct {
	// Start performs an operation, as api.API.Start does.
	Start func(q api.Request, done func(operation.Reply, error)) (release func())
	// Peer says who sent a request.
	Peer func(*http.Request) api.Peer
	// Media keeps the files of messages.
	Media *media.Store
	// Setting reads a setting of an account.
	Setting func(u hongyan.UserID, name string, done func(value []byte, err error))
	// Secret seals sessions. With another one, all have to log in again.
	Secret [SecretSize]byte
	// Generation is that of the store.
	Generation uint64
	// LoopbackOnly refuses everybody but this machine.
	LoopbackOnly bool
	// Front has a certificate for Hosts: with it the server is a proxy to itself for clients whose hosts are fixed. nil: it
	// is none.
	Front *tls.Config
	Now   func() time.Time
	// Clock is the time by which sends are judged, for a time of the machine: chat.Service.Clock.
	Clock   func(now time.Time) (ms int64)
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Server answers the requests of Web WeChat clients, whatever host they were sent to. It is an http.Handler.
type Server struct {
	config  Config
	seal    *sealer
	front   *front // nil without one
	logins  *logins
	uploads *uploads
	limiter *limiter
	memory  *memory
	metrics *metrics
}

// New makes the adapter of a server.
func New(c Config) (*Server, error) {
	s := &Server{config: c, logins: newLogins(c.Now), uploads: newUploads(c.Now), memory: newMemory()}
	var err error
	if s.seal, err = newSealer(c.Secret); err != nil {
		return nil, err
	}
	if s.limiter, err = newLimiter(); err != nil {
		return nil, err
	}
	if s.metrics, err = newMetrics(s, c.Metrics); err != nil {
		return nil, err
	}
	if c.Front != nil {
		s.front = newFront(s, c.Front)
	}
	return s, nil
}

// Serves reports whether a request is for ServeHTTP: by its path, or because it asks for a tunnel.
func Serves(r *http.Request) bool { return r.Method == http.MethodConnect || ServesPath(r.URL.Path) }

// ServesPath reports whether a path belongs to the protocol.
func ServesPath(path string) bool {
	return path == "/jslogin" || strings.HasPrefix(path, root) || strings.HasPrefix(path, "/qrcode/") || strings.HasPrefix(path, "/l/")
}

// endpoint is what answers one path.
type endpoint struct {
	serve func(*exchange) error
	needs need
}

// need is what is done for an endpoint beforehand.
type need uint8

const (
	needsSession need = iota // the body is read, and the session found
	needsBody                // the body is read; everybody may ask
	needsNothing             // the endpoint does all by itself
)

var endpoints map[string]endpoint

func init() {
	endpoints = map[string]endpoint{
		"/jslogin":                    {(*exchange).jslogin, needsBody},
		root + "login":                {(*exchange).pollLogin, needsBody},
		root + "webwxnewloginpage":    {(*exchange).newLoginPage, needsBody},
		root + "synccheck":            {(*exchange).syncCheck, needsSession},
		root + "webwxinit":            {(*exchange).webInit, needsSession},
		root + "webwxstatusnotify":    {(*exchange).statusNotify, needsSession},
		root + "webwxlogout":          {(*exchange).logout, needsSession},
		root + "webwxuploadmedia":     {(*exchange).uploadMedia, needsNothing},
		"/qrcode":                     {(*exchange).qrCode, needsBody},
		"/l":                          {(*exchange).codePage, needsBody},
		root + "webwxstatreport":      {(*exchange).accept, needsSession},
		root + "webwxreport":          {(*exchange).accept, needsSession},
		root + "webwxsendfeedback":    {(*exchange).accept, needsSession},
		root + "webwxgetcontact":      {(*exchange).getContact, needsSession},
		root + "webwxbatchgetcontact": {(*exchange).batchGetContact, needsSession},
		root + "webwxsync":            {(*exchange).sync, needsSession},
		root + "webwxsendmsg":         {(*exchange).sendText, needsSession},
		root + "webwxpushloginurl":    {(*exchange).pushLogin, needsSession},
		root + "webwxsendmsgimg":      {(*exchange).sendPicture, needsSession},
		root + "webwxsendvideomsg":    {(*exchange).sendVideo, needsSession},
		root + "webwxsendemoticon":    {(*exchange).sendEmoticon, needsSession},
		root + "webwxsendappmsg":      {(*exchange).sendApp, needsSession},
		root + "webwxcheckupload":     {(*exchange).checkUpload, needsSession},
		root + "webwxgetmsgimg":       {(*exchange).getMessageMedia, needsSession},
		root + "webwxgetvoice":        {(*exchange).getMessageMedia, needsSession},
		root + "webwxgetvideo":        {(*exchange).getMessageMedia, needsSession},
		root + "webwxgetmedia":        {(*exchange).getMedia, needsSession},
		root + "webwxpreview":         {(*exchange).getMedia, needsSession},
		root + "webwxgeticon":         {(*exchange).avatar, needsSession},
		root + "webwxgetheadimg":      {(*exchange).avatar, needsSession},
		root + "webwxcreatechatroom":  {(*exchange).createChatroom, needsSession},
		root + "webwxupdatechatroom":  {(*exchange).updateChatroom, needsSession},
		root + "webwxoplog":           {(*exchange).opLog, needsSession},
		root + "webwxverifyuser":      {(*exchange).verifyUser, needsSession},
		root + "webwxrevokemsg":       {(*exchange).revoke, needsSession},
	}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := s.newExchange(w, r)
	if s.config.LoopbackOnly && !x.caller.Peer.Loopback {
		http.Error(w, "the Web WeChat endpoints of this server are for its own machine: see the setting webwx", http.StatusForbidden)
		return
	}
	if r.Method == http.MethodConnect {
		if s.front == nil {
			http.Error(w, "this is no proxy: see the setting webwx.connect", http.StatusMethodNotAllowed)
			return
		}
		s.front.connect(x)
		return
	}
	to, name, ok := route(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	x.name = name
	err := x.prepare(to.needs)
	if err == nil {
		err = to.serve(x)
	}
	if err != nil {
		x.fail(err)
	}
}

// route finds the endpoint of a path, and the name that metrics know it by.
func route(path string) (endpoint, string, bool) {
	for _, folder := range []string{"/qrcode", "/l"} {
		if strings.HasPrefix(path, folder+"/") {
			path = folder
		}
	}
	to, ok := endpoints[path]
	return to, path[strings.LastIndexByte(path, '/')+1:], ok
}

// Nbio is the peer on github.com/lesismal/nbio: its non-blocking HTTP server, with handlers run by the pollers
// themselves, which is cheaper here than its default of handing them to a pool of goroutines.
package main

import (
	"flag"
	"log"
	"net/http"
	"runtime"
	"time"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"

	"github.com/hongyan-im/hongyan/bench/topic"
)

const maxMessage = 16 << 20

func main() {
	listen := flag.String("listen", "127.0.0.1:9001", "address")
	flag.Parse()
	logging.SetLevel(logging.LevelNone)
	var subscribers topic.Set[*websocket.Conn]
	mux := http.NewServeMux()

	echo := upgrader()
	echo.OnMessage(func(c *websocket.Conn, kind websocket.MessageType, message []byte) { c.WriteMessage(kind, message) })
	serve(mux, "/echo", echo)

	sub := upgrader()
	sub.OnOpen(func(c *websocket.Conn) { subscribers.Add(c) })
	sub.OnClose(func(c *websocket.Conn, _ error) { subscribers.Remove(c) })
	sub.OnMessage(func(*websocket.Conn, websocket.MessageType, []byte) {})
	serve(mux, "/sub", sub)

	pub := upgrader()
	pub.OnMessage(func(_ *websocket.Conn, kind websocket.MessageType, message []byte) {
		subscribers.Each(func(s *websocket.Conn) { s.WriteMessage(kind, message) })
	})
	serve(mux, "/pub", pub)

	engine := nbhttp.NewEngine(nbhttp.Config{
		Network:                 "tcp",
		Addrs:                   []string{*listen},
		Handler:                 mux,
		IOMod:                   nbhttp.IOModNonBlocking,
		NPoller:                 runtime.GOMAXPROCS(0),
		ServerExecutor:          func(f func()) { f() },
		ReleaseWebsocketPayload: true,
	})
	if err := engine.Start(); err != nil {
		log.Fatal(err)
	}
	select {}
}

func upgrader() *websocket.Upgrader {
	u := websocket.NewUpgrader()
	u.CheckOrigin = func(*http.Request) bool { return true }
	u.KeepaliveTime = 0
	u.MessageLengthLimit = maxMessage
	return u
}

func serve(mux *http.ServeMux, path string, u *websocket.Upgrader) {
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		if c, err := u.Upgrade(w, r, nil); err == nil {
			c.SetReadDeadline(time.Time{}) // that of the request
		}
	})
}

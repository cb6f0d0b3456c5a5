// Gws is the peer on github.com/lxzan/gws: net/http for the handshake, a goroutine for each connection, the library's
// broadcaster.
package main

import (
	"flag"
	"log"
	"net/http"

	"github.com/lxzan/gws"

	"github.com/hongyan-im/hongyan/bench/topic"
)

var subscribers topic.Set[*gws.Conn]

type echo struct{ gws.BuiltinEventHandler }

func (echo) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	c.WriteMessage(m.Opcode, m.Bytes())
}

type subscriber struct{ gws.BuiltinEventHandler }

func (subscriber) OnOpen(c *gws.Conn)                    { subscribers.Add(c) }
func (subscriber) OnClose(c *gws.Conn, _ error)          { subscribers.Remove(c) }
func (subscriber) OnMessage(_ *gws.Conn, m *gws.Message) { m.Close() }

type publisher struct{ gws.BuiltinEventHandler }

func (publisher) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	b := gws.NewBroadcaster(m.Opcode, m.Bytes())
	defer b.Close()
	subscribers.Each(func(s *gws.Conn) { b.Broadcast(s) })
}

func main() {
	listen := flag.String("listen", "127.0.0.1:9001", "address")
	flag.Parse()
	serve("/echo", echo{})
	serve("/sub", subscriber{})
	serve("/pub", publisher{})
	log.Fatal(http.ListenAndServe(*listen, nil))
}

func serve(path string, handler gws.Event) {
	upgrader := gws.NewUpgrader(handler, &gws.ServerOption{CheckUtf8Enabled: true})
	http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r)
		if err != nil {
			return
		}
		go c.ReadLoop()
	})
}

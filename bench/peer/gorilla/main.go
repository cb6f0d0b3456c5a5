// Gorilla is the peer on github.com/gorilla/websocket: net/http, a goroutine for each connection, write buffers and
// messages from pools, a prepared message for broadcasts.
package main

import (
	"bytes"
	"flag"
	"log"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/hongyan-im/hongyan/bench/topic"
)

const maxMessage = 16 << 20

var (
	upgrader = websocket.Upgrader{
		WriteBufferPool: new(sync.Pool),
		CheckOrigin:     func(*http.Request) bool { return true },
	}
	messages = sync.Pool{New: func() any { return new(bytes.Buffer) }}
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9001", "address")
	flag.Parse()
	var subscribers topic.Set[*websocket.Conn]

	serve("/echo", func(c *websocket.Conn) {
		each(c, func(kind int, message []byte) error { return c.WriteMessage(kind, message) })
	})
	serve("/sub", func(c *websocket.Conn) {
		subscribers.Add(c)
		defer subscribers.Remove(c)
		each(c, func(int, []byte) error { return nil })
	})
	serve("/pub", func(c *websocket.Conn) {
		each(c, func(kind int, message []byte) error {
			prepared, err := websocket.NewPreparedMessage(kind, bytes.Clone(message))
			if err == nil {
				subscribers.Each(func(s *websocket.Conn) { s.WritePreparedMessage(prepared) })
			}
			return err
		})
	})
	log.Fatal(http.ListenAndServe(*listen, nil))
}

func serve(path string, handle func(*websocket.Conn)) {
	http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		c.SetReadLimit(maxMessage)
		go func() {
			defer c.Close()
			handle(c)
		}()
	})
}

// each calls use with every message until the connection ends or use fails. The message is use's until it returns: an
// idle connection holds none.
func each(c *websocket.Conn, use func(kind int, message []byte) error) {
	for {
		kind, r, err := c.NextReader()
		if err != nil {
			return
		}
		b := messages.Get().(*bytes.Buffer)
		b.Reset()
		if _, err = b.ReadFrom(r); err == nil {
			err = use(kind, b.Bytes())
		}
		messages.Put(b)
		if err != nil {
			return
		}
	}
}

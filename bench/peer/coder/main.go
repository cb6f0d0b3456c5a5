// Coder is the peer on github.com/coder/websocket: net/http, a goroutine for each connection, whole messages.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"

	"github.com/coder/websocket"

	"github.com/hongyan-im/hongyan/bench/topic"
)

const maxMessage = 16 << 20

func main() {
	listen := flag.String("listen", "127.0.0.1:9001", "address")
	flag.Parse()
	ctx := context.Background()
	var subscribers topic.Set[*websocket.Conn]

	serve("/echo", func(c *websocket.Conn) {
		for {
			kind, message, err := c.Read(ctx)
			if err != nil || c.Write(ctx, kind, message) != nil {
				return
			}
		}
	})
	serve("/sub", func(c *websocket.Conn) {
		subscribers.Add(c)
		defer subscribers.Remove(c)
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
		}
	})
	serve("/pub", func(c *websocket.Conn) {
		for {
			kind, message, err := c.Read(ctx)
			if err != nil {
				return
			}
			subscribers.Each(func(s *websocket.Conn) { s.Write(ctx, kind, message) })
		}
	})
	log.Fatal(http.ListenAndServe(*listen, nil))
}

// serve runs handle for every connection on path, on a goroutine of its own so that net/http can let go of what it holds.
func serve(path string, handle func(*websocket.Conn)) {
	options := &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled}
	http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, options)
		if err != nil {
			return
		}
		c.SetReadLimit(maxMessage)
		go func() {
			defer c.CloseNow()
			handle(c)
		}()
	})
}

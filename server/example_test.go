package server_test

import (
	"fmt"
	"log"

	"github.com/hongyan-im/hongyan/server"
)

// An echo for WebSocket clients, and for frames over TCP on the same port.
func Example() {
	s, err := server.Listen(server.Config{
		Listen:  []string{"127.0.0.1:0"},
		Message: func(c *server.Conn, m server.Message) { c.Write(m) },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	// Serve until something ends the program.
}

// A chat room: whoever comes by ws://…/?name=… is told what the others say.
func ExampleGroup() {
	var room server.Group
	say := func(sentence string, from *server.Conn) {
		room.Send(server.Message{Kind: server.Text, Data: fmt.Appendf(nil, "%s: %s", from.Value, sentence)})
	}
	s, err := server.Listen(server.Config{
		Listen: []string{"127.0.0.1:0"},
		Open: func(c *server.Conn, r *server.Request) error {
			name := r.Query("name")
			if r.TCP() || name == "" {
				return &server.Refusal{Status: 400, Reason: "say who you are: ?name=…"}
			}
			c.Value = name
			room.Join(c)
			return nil
		},
		Message: func(c *server.Conn, m server.Message) { say(string(m.Data), c) },
		Close: func(c *server.Conn, end server.End) {
			room.Leave(c)
			say("goodbye", c)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	// Serve until something ends the program.
}

package http1_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
	"github.com/hongyan-im/hongyan/internal/http1"
	"github.com/hongyan-im/hongyan/internal/websocket"
	"github.com/hongyan-im/hongyan/internal/ws"
)

// service answers /hello, and makes an echo of /echo.
type service struct{}

func (service) Route(x *http1.Exchange) {
	switch string(x.Path) {
	case "/hello":
		name, _ := x.Query("name")
		x.Respond(http1.Text(200, "Hello, "+string(name)+"!"))
	case "/echo":
		_ = x.Upgrade(&ws.Acceptor{}, nil, func(conn carrier.Conn, agreed ws.Agreement) carrier.Handler {
			return websocket.New(conn, agreed, 1<<20, func(c *websocket.Conn) websocket.Receiver { return &echo{c} })
		})
	}
}

func (service) Take(c net.Conn, _ []byte) { c.Close() } // there is no net/http here
func (service) Closed()                   {}

func Example() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	limits := carrier.Limits{Write: time.Minute, Flush: time.Second, Linger: time.Second, SoftQueue: 1 << 16, HardQueue: 1 << 20}
	times := http1.Limits{Head: 10 * time.Second, Idle: time.Minute}
	served := make(chan struct{})
	go func() {
		defer close(served)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		carrier.Serve(c, c, &limits, new(carrier.Counters), func(conn carrier.Conn) carrier.Handler {
			return http1.New(conn, service{}, &times, time.Now())
		})
	}()

	resp, err := http.Get("http://" + ln.Addr().String() + "/hello?name=goose")
	if err != nil {
		fmt.Println(err)
		return
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	fmt.Printf("%d %s", resp.StatusCode, body)

	http.DefaultClient.CloseIdleConnections()
	ln.Close()
	<-served
	// Output: 200 Hello, goose!
}

package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/wire"
)

// A bot that answers every message, until somebody interrupts it. Nothing is lost while it is off, and nothing is
// answered twice but for what it was dealing with when it was killed.
func Example_bot() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	var bot *client.Client
	onEvent := func(e client.Event) error {
		m, ok := e.(client.MessageEvent)
		if !ok || m.Backfilled || m.Message.From == bot.User() || m.Message.State != hongyan.Present {
			return nil
		}
		to := client.ToConversation(m.Message.Conversation)
		_, err := bot.Queue(ctx, to, hongyan.Text("You said: "+m.Message.Content.Text))
		return err
	}
	bot, err := client.Open("/var/lib/echo-bot", client.Options{OnEvent: onEvent})
	if err != nil {
		log.Fatal(err)
	}
	defer bot.Close()
	if err := bot.Run(ctx); err != nil {
		log.Print(err)
	}
}

// Logging in makes a profile. With TrustFirst a server may have a certificate that nobody has signed: a person compares
// its fingerprint once, and from then on only that certificate is accepted.
func ExampleLogin() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	o := client.Options{
		Device: hongyan.Device{Name: "laptop", Class: hongyan.ClassDesktop},
		Dial: client.DialOptions{TrustFirst: func(fingerprint string) error {
			fmt.Println("The server's certificate has the fingerprint", fingerprint)
			return nil
		}},
	}
	c, err := client.Login(ctx, "/home/alice/.hongyan", "chat.example.com", "alice", "correct horse", o)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println("logged in as", c.Name())
}

// A message is stored before it is sent, so the answer is one of three.
func ExampleClient_Send() {
	c, err := client.Open("/home/alice/.hongyan", client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	sent, err := c.Send(ctx, client.ToName("bob"), hongyan.Text("Are you there?"))
	var queued *client.QueuedError
	switch {
	case errors.As(err, &queued):
		fmt.Println("not sent yet, the next Send, Sync or Run does it:", queued.Err)
	case err != nil:
		fmt.Println("refused:", err)
	default:
		fmt.Println("sent as message", sent.Ordinal, "of", sent.Conversation)
	}
}

// Sync brings a profile up to date; then everything is read from it.
func ExampleClient_Sync() {
	c, err := client.Open("/home/alice/.hongyan", client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.Sync(context.Background()); err != nil {
		log.Fatal(err)
	}
	conversations, err := c.Conversations()
	if err != nil {
		log.Fatal(err)
	}
	for _, conv := range conversations {
		fmt.Printf("%s (%d unread)\n", conv.Title, conv.Unread)
	}
}

// A Conn alone makes requests without a profile, here as the operator over the admin socket.
func ExampleDial() {
	ctx := context.Background()
	conn, err := client.Dial(ctx, "unix:/var/lib/hongyan/admin.sock", client.DialOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	reply := new(wire.StatusReply)
	if err := conn.Do(ctx, wire.OpStatus, nil, reply); err != nil {
		log.Fatal(err)
	}
	fmt.Println("version", reply.Version, "with", reply.Connections, "connections")
}

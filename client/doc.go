// Package client is the Go side of Hongyan: what the command line, bots and other programs use to talk to a server.
//
// A Conn is one connection: it carries requests and their answers and the server's notifications, and knows nothing of
// accounts or files. A Client is one device of an account. It keeps a profile, a directory with the device's
// credentials, what it has received and what it still has to send, and does with it what package core decides: it finds
// a way to the server, whatever the network lets through, stays connected, follows the account's changes without losing
// or repeating one, and sends every message exactly once, whatever happens to the network, the server or itself in the
// meantime.
package client

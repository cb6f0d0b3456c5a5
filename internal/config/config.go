// Package config says how a server is set up: what can be set, what it is when nobody set it, and from where a value
// comes.
//
// Every setting is one row of a table (settings.go) and has one name, such as "tls.cert", in four places: the TOML file
// (cert in the table [tls]), the environment (HONGYAN_TLS_CERT), the command line (--tls.cert) and in Go
// (Config.TLS.Cert). A flag wins over the environment, the environment over the file, the file over the default. Load
// puts them together and reports everything that is wrong at once, each with its place and its remedy; WriteFile prints
// a Config as the documented file that Load reads.
package config

import (
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Config is the set-up of one server. The zero value is not usable: start from Default or Load.
type Config struct {
	Data         string       // directory of everything the server keeps; empty stands for DefaultData
	Listen       []string     // addresses, each "host:port"; an empty host means every address of the machine
	Carrier      Carrier      // what moves the bytes of plain connections
	Registration Registration // who may create an account
	TLS          TLS
	HTTP         HTTP
	WebWX        WebWX
	Messages     Messages
	Retention    Retention
	Devices      Devices
	Storage      Storage
	Media        Media
	Limits       Limits
	Log          Log
	Drain        Drain
}

// TLS says how connections are encrypted. Cert and Key are set together or not at all; without them the server
// signs its own certificate.
type TLS struct {
	Cert, Key  string // PEM files: the chain, leaf first, and its private key
	AllowPlain bool   // accept unencrypted bodies from addresses that are not loopback
}

// HTTP says who may use the short link.
type HTTP struct {
	Origins   []string // of web pages, besides the server's own: "https://chat.example.com", or "*" for any
	Root      string   // folder of files to serve; empty: none
	Advertise []string // where clients find the server, each "host:port" or "host:port=weight"; see Places

	// TrustedProxies are networks, such as "10.0.0.0/8" or "192.0.2.1", whose hosts are believed in what they say of those
	// whose requests they pass on; see Proxies.
	TrustedProxies []string
}

// WebWX says who may use the server by the Web WeChat protocol.
type WebWX struct {
	Access  Access
	Connect bool // answer CONNECT for the names of the original hosts, and speak for them
}

// Messages says what may be done with messages.
type Messages struct {
	ContactsOnly bool          // a direct message needs an accepted contact
	RecallWindow time.Duration // how long a sender may take a message back; zero: never
}

// Retention says how much of an account's log is kept. Zero is without limit.
type Retention struct {
	Days     int
	Messages int
}

// Devices says how many devices an account may have.
type Devices struct {
	Policy DevicePolicy
	Max    int
}

// Storage bounds what the server takes from disk and memory.
type Storage struct {
	LowWater Size // free disk below which sends are refused
	Ballast  Size // file that can be deleted to get a full disk going again; zero: none
	Cache    Size // memory for blocks read from the store and for changes not yet in its tables
}

// Media bounds what people upload.
type Media struct {
	MaxSize Size // of one file
	Quota   Size // of all files of one account; zero: no limit
}

// Limits bounds what connections may take.
type Limits struct {
	Connections           int
	ConnectionsPerAddress int           // does not apply to loopback; zero: no such limit
	Idle                  time.Duration // a connection that says nothing for so long is closed
}

// Log says what is written to standard error.
type Log struct {
	Level  LogLevel
	Format LogFormat
}

// Drain says how the server leaves when it is told to stop.
type Drain struct {
	Timeout time.Duration // what is under way has so long to finish
	Spread  time.Duration // clients are asked to come back at a random moment of so long, not all at once
}

// Carrier says what moves the bytes of plain TCP connections. TLS and the operator's socket always have goroutines.
type Carrier string

const (
	CarrierReactor   Carrier = "reactor"   // a few epoll loops for all; on Linux only
	CarrierGoroutine Carrier = "goroutine" // a goroutine for each connection
)

// defaultCarrier is the better one on this system.
func defaultCarrier() Carrier {
	if runtime.GOOS == "linux" {
		return CarrierReactor
	}
	return CarrierGoroutine
}

// Registration says who may create an account.
type Registration string

const (
	RegistrationOpen       Registration = "open"       // anybody
	RegistrationInvitation Registration = "invitation" // who has an invitation
	RegistrationClosed     Registration = "closed"     // the operator only
	RegistrationLoopback   Registration = "loopback"   // anybody on this machine, by invitation from elsewhere
)

// Access says who may use a part of the server.
type Access string

const (
	AccessOff      Access = "off"      // nobody
	AccessLoopback Access = "loopback" // this machine
	AccessOn       Access = "on"       // everybody
)

// DevicePolicy says what a login does to the account's other devices.
type DevicePolicy string

const (
	DevicesMany        DevicePolicy = "many"          // nothing
	DevicesOnePerClass DevicePolicy = "one-per-class" // ends the device of the same class: one phone, one desktop, …
)

// LogLevel is the least important thing that is logged.
type LogLevel string

const (
	LogDebug LogLevel = "debug"
	LogInfo  LogLevel = "info"
	LogWarn  LogLevel = "warn"
	LogError LogLevel = "error"
)

// LogFormat is the form of a log line.
type LogFormat string

const (
	LogText LogFormat = "text" // key=value
	LogJSON LogFormat = "json" // one object a line
)

// Default is the set-up of a server that nobody configured: on loopback, everything kept.
func Default() Config {
	return Config{
		Listen:       []string{"127.0.0.1:7878"},
		Carrier:      defaultCarrier(),
		Registration: RegistrationLoopback,
		WebWX:        WebWX{Access: AccessLoopback},
		Messages:     Messages{RecallWindow: 2 * time.Minute},
		Devices:      Devices{Policy: DevicesMany, Max: 32},
		Storage:      Storage{LowWater: 256 << 20, Ballast: 64 << 20, Cache: 256 << 20},
		Media:        Media{MaxSize: 100 << 20, Quota: 2 << 30},
		// Phones beat every 3.5 to 10 minutes; a beat may come late by the time a radio takes to wake up.
		Limits: Limits{Connections: 100_000, ConnectionsPerAddress: 1024, Idle: 11 * time.Minute},
		Log:    Log{Level: LogInfo, Format: LogText},
		Drain:  Drain{Timeout: 10 * time.Second, Spread: 10 * time.Second},
	}
}

// DefaultData is where a server keeps its data when it was not told: /var/lib/hongyan for root, otherwise hongyan in
// the user's data directory (XDG Base Directory Specification: $XDG_DATA_HOME, or ~/.local/share).
func DefaultData() string {
	const name = "hongyan"
	if os.Geteuid() == 0 {
		return filepath.Join("/var/lib", name)
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) { // the specification: relative paths are ignored
		return filepath.Join(dir, name)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return name // in the working directory: there is no other place to go
	}
	return filepath.Join(home, ".local", "share", name)
}

// AdminSocket is where the server with the given data directory listens for its operator.
func AdminSocket(data string) string { return filepath.Join(data, "admin.sock") }

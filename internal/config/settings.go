package config

import (
	"strings"
	"time"
)

// Setting describes one setting to the command line and to documents.
type Setting struct {
	Key     string // its name in the file and as a flag: "tls.cert"
	Env     string // its name in the environment: "HONGYAN_TLS_CERT"
	Doc     string // what it is for; lines are separated by newlines
	Default string // as a flag would say it
	Kind    string // what a value is: "duration"; "bool" for true or false
}

// Settings lists every setting in the order of the file.
func Settings() []Setting {
	c := Default()
	list := make([]Setting, len(table))
	for i, row := range table {
		v := row.value(&c)
		list[i] = Setting{row.key, envName(row.key), row.doc, v.text(), v.kind()}
	}
	return list
}

func envName(key string) string {
	return "HONGYAN_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// row is one setting: its name, its documentation in the file, and where it lives.
type row struct {
	key, doc string
	value    func(*Config) value
}

// section introduces the settings of one table of the file.
var sections = map[string]string{
	"tls":       "Encryption. The same ports answer encrypted and plain connections.",
	"http":      "The short link: requests by HTTP.",
	"webwx":     "Clients and bots of the Web WeChat protocol: see docs/WEBWX.md.",
	"messages":  "What may be done with messages.",
	"retention": "How much of each account's history the server keeps. 0 keeps everything.",
	"devices":   "The devices of an account.",
	"storage":   "Disk and memory.",
	"media":     "Files that people upload: pictures, recordings and others.",
	"limits":    "What connections may take.",
	"log":       "The log, on standard error.",
	"drain":     "Leaving: what happens between the signal to stop and the end.",
}

// Bounds that only keep a slip of the pen from doing harm.
const (
	maxCount    = 1 << 30
	maxSize     = Size(1) << 50
	maxDuration = 10 * 365 * 24 * time.Hour
)

// table lists the settings; those of one section stand together, those without a section come first.
var table = []row{
	{"data", "Directory of everything the server keeps. It is created if it is missing.\n" +
		"Empty: /var/lib/hongyan for root, otherwise hongyan in $XDG_DATA_HOME or ~/.local/share.",
		func(c *Config) value { return textValue{&c.Data} }},
	{"listen", "Addresses to listen on. Each takes TLS, WebSocket, HTTP and long links alike.\n" +
		"\":7878\" is every address of this machine, \"[::1]:7878\" one address of IPv6, \"well-known\" the ports that clients\n" +
		"try without being told: 8080, 80, 443 and 14000.",
		func(c *Config) value { return listValue{&c.Listen} }},
	{"carrier", "What moves the bytes of unencrypted connections: reactor or goroutine.\n" +
		"reactor: a few loops for all of them, which takes the least memory, on Linux only; goroutine: one for each.",
		func(c *Config) value {
			return choiceValue[Carrier]{&c.Carrier, []Carrier{CarrierReactor, CarrierGoroutine}}
		}},
	{"registration", "Who may create an account: open, invitation, closed or loopback.\n" +
		"open: anybody; invitation: who has one; closed: the operator only; loopback: anybody on this machine, and by\n" +
		"invitation from elsewhere.",
		func(c *Config) value {
			return choiceValue[Registration]{&c.Registration, []Registration{RegistrationOpen, RegistrationInvitation,
				RegistrationClosed, RegistrationLoopback}}
		}},

	{"tls.cert", "PEM file with the certificate chain, the server's own first. Set it together with tls.key.\n" +
		"Empty: the server signs a certificate for itself, which clients know by its fingerprint.",
		func(c *Config) value { return textValue{&c.TLS.Cert} }},
	{"tls.key", "PEM file with the private key of the certificate.",
		func(c *Config) value { return textValue{&c.TLS.Key} }},
	{"tls.allow_plain", "Accept what people write unencrypted from other machines.\n" +
		"Only for a network that nobody can listen to, or behind a proxy that encrypts.",
		func(c *Config) value { return switchValue{&c.TLS.AllowPlain} }},

	{"http.origins", "Origins of the web pages, besides this server's own, that may use the short link and WebSocket.\n" +
		"As browsers write them: \"https://chat.example.com\". \"*\": any page; it still needs a token to do anything.",
		func(c *Config) value { return listValue{&c.HTTP.Origins} }},
	{"http.root", "Folder whose files are served to browsers in place of the web client. Empty: the web client.",
		func(c *Config) value { return textValue{&c.HTTP.Root} }},
	{"http.advertise", "Where clients find this server, for the list of addresses that they keep: \"chat.example.com:8080\", or with a\n" +
		"weight, \"203.0.113.7:443=2\". Empty: under the name that they have used, at the ports of listen.",
		func(c *Config) value { return listValue{&c.HTTP.Advertise} }},
	{"http.trusted_proxies", "Networks of the reverse proxies that are believed in X-Forwarded-For, X-Forwarded-Proto and Forwarded:\n" +
		"\"10.0.0.0/8\", \"127.0.0.1\". They have to set these fields themselves. Empty: nobody is believed.",
		func(c *Config) value { return listValue{&c.HTTP.TrustedProxies} }},

	{"webwx.access", "Who may use this server by the Web WeChat protocol: off, loopback or on.\n" +
		"off: nobody; loopback: this machine; on: everybody who can reach it.",
		func(c *Config) value {
			return choiceValue[Access]{&c.WebWX.Access, []Access{AccessOff, AccessLoopback, AccessOn}}
		}},
	{"webwx.connect", "Be the HTTPS proxy of such clients too, for the names of the original hosts alone, which end here:\n" +
		"so that unmodified programs need no more than HTTPS_PROXY and the certificate in webwx-ca.pem of the data directory.",
		func(c *Config) value { return switchValue{&c.WebWX.Connect} }},

	{"messages.contacts_only", "Whether a direct message needs an accepted contact.",
		func(c *Config) value { return switchValue{&c.Messages.ContactsOnly} }},
	{"messages.recall_window", "How long a sender may take a message back. 0s: never.",
		func(c *Config) value { return durationValue{&c.Messages.RecallWindow, 0, maxDuration} }},

	{"retention.days", "Days after which messages go.",
		func(c *Config) value { return countValue{&c.Retention.Days, 0, 36500} }},
	{"retention.messages", "Messages that an account keeps; the oldest go first.",
		func(c *Config) value { return countValue{&c.Retention.Messages, 0, maxCount} }},

	{"devices.policy", "What a login does to the account's other devices: many or one-per-class.\n" +
		"many: nothing; one-per-class: it ends the device of the same class, so there is one phone, one desktop and so on.",
		func(c *Config) value {
			return choiceValue[DevicePolicy]{&c.Devices.Policy, []DevicePolicy{DevicesMany, DevicesOnePerClass}}
		}},
	{"devices.max", "Devices that one account may have.",
		func(c *Config) value { return countValue{&c.Devices.Max, 1, 1000} }},

	{"storage.low_water", "Free disk below which messages are refused, while everything sent before can still be read.",
		func(c *Config) value { return sizeValue{&c.Storage.LowWater, 0, maxSize} }},
	{"storage.ballast", "Size of a file that does nothing but take space: deleting it gets a full disk going again. 0B: none.",
		func(c *Config) value { return sizeValue{&c.Storage.Ballast, 0, maxSize} }},
	{"storage.cache", "Memory for blocks read from the store and for changes not yet in its tables. It is taken as needed.",
		func(c *Config) value { return sizeValue{&c.Storage.Cache, 1 << 20, maxSize} }},

	{"media.max_size", "Size of one file. 0B: no uploads.",
		func(c *Config) value { return sizeValue{&c.Media.MaxSize, 0, 16 << 30} }},
	{"media.quota", "Size of all the files that one account uploads. 0B: no limit.",
		func(c *Config) value { return sizeValue{&c.Media.Quota, 0, maxSize} }},

	{"limits.connections", "Connections at a time. Each takes a file descriptor: see hongyan doctor.",
		func(c *Config) value { return countValue{&c.Limits.Connections, 1, 10_000_000} }},
	{"limits.connections_per_address", "Connections at a time from one address; loopback is not limited. 0: no such limit.",
		func(c *Config) value { return countValue{&c.Limits.ConnectionsPerAddress, 0, maxCount} }},
	{"limits.idle", "A connection that says nothing for so long is closed. Phones beat every 3.5 to 10 minutes.",
		func(c *Config) value { return durationValue{&c.Limits.Idle, 30 * time.Second, 24 * time.Hour} }},

	{"log.level", "The least important thing that is logged: debug, info, warn, error.",
		func(c *Config) value {
			return choiceValue[LogLevel]{&c.Log.Level, []LogLevel{LogDebug, LogInfo, LogWarn, LogError}}
		}},
	{"log.format", "text (key=value) or json (one object a line).",
		func(c *Config) value { return choiceValue[LogFormat]{&c.Log.Format, []LogFormat{LogText, LogJSON}} }},

	{"drain.timeout", "What is under way has so long to finish.",
		func(c *Config) value { return durationValue{&c.Drain.Timeout, 0, time.Hour} }},
	{"drain.spread", "Clients are told to come back at a random moment within so long, so that a restart is no stampede.",
		func(c *Config) value { return durationValue{&c.Drain.Spread, 0, time.Hour} }},
}

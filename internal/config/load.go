package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
)

// Error is one thing that is wrong with the set-up.
type Error struct {
	Where   string // "hongyan.toml:12", "$HONGYAN_LISTEN", "--listen"
	Message string // what is wrong, without a full stop
	Hint    string // what to do, may be empty
}

func (e *Error) Error() string {
	s := e.Message
	if e.Where != "" {
		s = e.Where + ": " + s
	}
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

// Sources are the places that settings come from. All are optional.
type Sources struct {
	File   string                      // path of the TOML file
	Getenv func(string) (string, bool) // os.LookupEnv
	Flags  map[string]string           // values given on the command line, by key
}

// maxFile bounds the TOML file, in bytes. The documented file has 5 KiB.
const maxFile = 1 << 20

// Load puts a Config together: flag before environment before file before default. It returns everything that is wrong
// as *Error values joined into one error.
func Load(s Sources) (Config, error) {
	l := loader{config: Default(), origin: make(map[string]string)}
	if s.File != "" {
		l.readFile(s.File)
	}
	for _, row := range table {
		if name := envName(row.key); s.Getenv != nil {
			if text, ok := s.Getenv(name); ok {
				l.set(row, text, "$"+name)
			}
		}
		if text, ok := s.Flags[row.key]; ok {
			l.set(row, text, "--"+row.key)
		}
	}
	if len(l.errs) == 0 {
		l.check()
	}
	return l.config, l.result()
}

// loader collects values and faults.
type loader struct {
	config Config
	origin map[string]string // where the present value of a key comes from, unless it is the default
	errs   []placed
}

// placed is a fault with the line to sort it by.
type placed struct {
	line int
	err  *Error
}

func (l *loader) fault(line int, where, hint, format string, args ...any) {
	l.errs = append(l.errs, placed{line, &Error{where, fmt.Sprintf(format, args...), hint}})
}

// set takes a text for a setting. A fault leaves the value as it was.
func (l *loader) set(r row, text, where string) { l.setAt(r, text, where, 0) }

func (l *loader) setAt(r row, text, where string, line int) {
	v := r.value(&l.config)
	before := v.text()
	if err := v.set(text); err != nil {
		if undo := v.set(before); undo != nil {
			panic(fmt.Sprintf("config: %s does not read its own text %q: %v", r.key, before, undo))
		}
		l.fault(line, where, "", "%s: %v", r.key, err)
		return
	}
	l.origin[r.key] = where
}

// readFile takes the settings of the TOML file.
func (l *loader) readFile(name string) {
	text, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.fault(0, "", "write one with: hongyan config >"+name, "there is no file %s", name)
	case err != nil:
		l.fault(0, "", "", "cannot read the configuration: %v", err)
	case len(text) > maxFile:
		l.fault(0, name, "is it the right file?", "has %d bytes, a configuration has at most %d", len(text), maxFile)
	default:
		l.parse(name, string(text))
	}
}

// check judges what no setting can judge alone.
func (l *loader) check() {
	c := &l.config
	if i := slices.Index(c.Listen, WellKnown); i >= 0 {
		c.Listen = slices.Replace(slices.Clone(c.Listen), i, i+1, wellKnown...)
	}
	if len(c.Listen) == 0 {
		l.fault(0, l.where("listen"), `give at least one address, such as "127.0.0.1:7878"`, "listen: no address")
	}
	for i, addr := range c.Listen {
		if err := checkAddress(addr); err != nil {
			l.fault(0, l.where("listen"), `an address is HOST:PORT, such as "127.0.0.1:7878", or ":7878" for every address`,
				"listen: %q: %v", addr, err)
		}
		if slices.Contains(c.Listen[:i], addr) && !anyPort(addr) {
			l.fault(0, l.where("listen"), "name every address once", "listen: %q stands twice", addr)
		}
	}
	if _, err := c.HTTP.Places(); err != nil {
		l.fault(0, l.where("http.advertise"), `a place is HOST:PORT or HOST:PORT=WEIGHT, such as "chat.example.com:8080" or "203.0.113.7:443=2"`,
			"http.advertise: %v", err)
	}
	if _, err := c.HTTP.Proxies(); err != nil {
		l.fault(0, l.where("http.trusted_proxies"), `a network is "10.0.0.0/8", "2001:db8::/32" or a single address`,
			"http.trusted_proxies: %v", err)
	}
	for _, origin := range c.HTTP.Origins {
		if !isOrigin(origin) {
			l.fault(0, l.where("http.origins"), `an origin is SCHEME://HOST or SCHEME://HOST:PORT, such as "https://chat.example.com", or "*" for any`,
				"http.origins: %q is no origin", origin)
		}
	}
	switch {
	case c.TLS.Cert != "" && c.TLS.Key == "":
		l.fault(0, l.where("tls.cert"), "set tls.key to the file with its private key", "tls.cert is set without tls.key")
	case c.TLS.Key != "" && c.TLS.Cert == "":
		l.fault(0, l.where("tls.key"), "set tls.cert to the file with the certificate chain", "tls.key is set without tls.cert")
	}
}

// isOrigin reports whether s is an origin as browsers write it (RFC 6454 §6.1), or "*".
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return s == "*" || err == nil && u.Host != "" && s == u.Scheme+"://"+u.Host
}

func checkAddress(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		if e, ok := errors.AsType[*net.AddrError](err); ok {
			return errors.New(e.Err)
		}
		return err
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q is no port from 0 to 65535", port)
	}
	return nil
}

// anyPort reports whether the system chooses the port, in which case the same text means another address each time.
func anyPort(addr string) bool {
	_, port, _ := net.SplitHostPort(addr)
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n == 0
}

func (l *loader) where(key string) string { return l.origin[key] }

// result joins the faults: those of the file in its order, then the others.
func (l *loader) result() error {
	slices.SortStableFunc(l.errs, func(a, b placed) int { return cmp.Compare(order(a.line), order(b.line)) })
	errs := make([]error, len(l.errs))
	for i, p := range l.errs {
		errs[i] = p.err
	}
	return errors.Join(errs...)
}

func order(line int) int {
	if line == 0 {
		return maxFile // no file has so many lines
	}
	return line
}

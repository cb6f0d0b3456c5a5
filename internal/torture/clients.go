package torture

import (
	"bytes"
	"encoding/json"
	"sync"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/faultproxy"
)

// WorkCommand is what the program is called with to be a client process; the path of a plan follows.
var WorkCommand = []string{"torture", "work"}

// clients is a client process, with its network, as its parent sees it.
type clients struct {
	process
	plan  plan
	proxy *faultproxy.Proxy

	state sync.Mutex
	order order
	last  map[hongyan.DeviceID]deviceStatus
	fatal string // why it cannot go on
}

// newClients makes the process, and its network. The plan is to be filled in before it runs.
func newClients(name, planFile, server string) (*clients, error) {
	proxy, err := faultproxy.Listen(server)
	if err != nil {
		return nil, err
	}
	return &clients{
		process: process{name: name, args: append(append([]string(nil), WorkCommand...), planFile)},
		plan:    plan{Server: proxy.Addr()}, proxy: proxy, order: play, last: map[hongyan.DeviceID]deviceStatus{},
	}, nil
}

// run starts a life.
func (c *clients) run() error {
	if err := c.start(&lines{to: c.hear}); err != nil {
		return err
	}
	c.state.Lock()
	defer c.state.Unlock()
	c.tell(string(c.order))
	return nil
}

// command tells this life, and those after it, what to do.
func (c *clients) command(o order) {
	c.state.Lock()
	defer c.state.Unlock()
	c.order = o
	c.tell(string(o))
}

func (c *clients) hear(line []byte) {
	var s status
	if json.Unmarshal(line, &s) != nil {
		return // a kill has cut it
	}
	c.state.Lock()
	defer c.state.Unlock()
	if s.Failed != "" {
		c.fatal = s.Failed
	}
	for _, d := range s.Devices {
		c.last[d.Device] = d
	}
}

// statuses returns the last word of each device.
func (c *clients) statuses() []deviceStatus {
	c.state.Lock()
	defer c.state.Unlock()
	var all []deviceStatus
	for _, d := range c.last {
		all = append(all, d)
	}
	return all
}

// failed says why the process cannot go on, if it said so.
func (c *clients) failed() string {
	c.state.Lock()
	defer c.state.Unlock()
	return c.fatal
}

// lines cuts what is written to it into lines.
type lines struct {
	to   func([]byte)
	rest []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte{'\n'})
		if !ok {
			return len(p), nil
		}
		l.to(line)
		l.rest = rest
	}
}

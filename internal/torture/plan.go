package torture

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/hongyan-im/hongyan"
)

// way is how a device talks to the server.
type way string

const (
	sdkTCP  way = "sdk-tcp"  // the Go SDK with its profile, over whatever transport is the first to answer
	sdkTLS  way = "sdk-tls"  // the same inside TLS
	linkTCP way = "link-tcp" // a long link without the SDK, many requests at a time
	linkTLS way = "link-tls"
	linkWS  way = "link-ws"
	poll    way = "poll"   // HTTP requests, and long-polls for what is new
	stream  way = "stream" // HTTP requests, and server-sent events for what is new
)

// plan is what a client process has to know: it is a file that the process reads whenever it starts.
type plan struct {
	Seed    uint64   `json:"seed"`
	Server  string   `json:"server"` // address of the relay to it
	Rate    float64  `json:"rate"`   // sends a second of each lean device
	People  []person `json:"people"`
	Groups  []group  `json:"groups"`
	Devices []device `json:"devices"` // of this process
}

type person struct {
	User hongyan.UserID `json:"user"`
	Name string         `json:"name"`
}

type group struct {
	ID    hongyan.GroupID `json:"id"`
	Owner hongyan.UserID  `json:"owner"`
}

type device struct {
	User   hongyan.UserID   `json:"user"`
	Device hongyan.DeviceID `json:"device"`
	Token  string           `json:"token"`
	Way    way              `json:"way"`
	// SkewMS is how far the device's clock is ahead.
	SkewMS  int64  `json:"skew_ms"`
	Record  string `json:"record"`            // file
	Profile string `json:"profile,omitempty"` // directory of the SDK
}

func (d *device) sdk() bool { return d.Way == sdkTCP || d.Way == sdkTLS }

func (p *plan) save(path string) error {
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

func loadPlan(path string) (*plan, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := new(plan)
	if err := json.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

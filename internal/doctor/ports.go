package doctor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/hongyan-im/hongyan/internal/config"
)

func ports(c config.Config) []Finding {
	all := make([]Finding, 0, len(c.Listen))
	for _, addr := range c.Listen {
		l, err := net.Listen("tcp", addr)
		if err == nil {
			l.Close()
		}
		owner := ""
		if errors.Is(err, syscall.EADDRINUSE) {
			owner = portOwner(addr)
		}
		all = append(all, judgePort(addr, err, owner, serverAnswers(c.Data)))
	}
	return all
}

// serverAnswers reports whether a server runs on the data directory.
func serverAnswers(data string) bool {
	conn, err := net.Dial("unix", config.AdminSocket(data))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// judgePort judges the outcome of listening on addr. owner is the process that has the port, as far as known.
func judgePort(addr string, err error, owner string, running bool) Finding {
	check := "port " + addr
	switch {
	case err == nil:
		return ok(check, "free")
	case errors.Is(err, syscall.EADDRINUSE) && running:
		return ok(check, "taken, and a server runs on this data directory")
	case errors.Is(err, syscall.EADDRINUSE):
		if owner == "" {
			owner = "a process that this user may not see (try as root: ss -ltnp)"
		}
		return Finding{check, Fail, "taken by " + owner, "The server cannot start.",
			"Stop that process, or listen elsewhere with --listen."}
	case errors.Is(err, os.ErrPermission):
		return Finding{check, Fail, "not permitted",
			"Ports below 1024 need a privilege on this system; the server cannot start.",
			"Set AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, or run: setcap cap_net_bind_service=+ep hongyan"}
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return Finding{check, Fail, "no such address on this machine", "The server cannot start.",
			"Listen on an address that ip address shows, or on every address with an empty host, such as :7878."}
	}
	return Finding{check, Fail, fmt.Sprint(err), "The server cannot start.", "Correct the address with --listen."}
}

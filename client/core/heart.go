package core

import "time"

// Heartbeats of a server that has given no hints, and how their interval is tried. The figures are those that phones
// in the field have been found to live with.
const (
	defaultHeartbeatMin = 210 * time.Second
	defaultHeartbeatMax = 600 * time.Second

	heartStep = time.Minute // how much longer the next interval to be tried is
	heartGood = 3           // answered heartbeats in a row that prove an interval
	heartBad  = 2           // unanswered ones that disprove it
)

// heart finds the longest interval between heartbeats that the network tolerates: it begins with the shortest, lengthens
// it after it has proved good, and settles one step below the first interval that has failed twice.
type heart struct {
	min, max time.Duration
	present  time.Duration
	good     int
	bad      int
	settled  bool
}

// setBounds takes over what the server would like. Another shortest interval begins the trials anew.
func (h *heart) setBounds(least, most time.Duration) {
	if least <= 0 {
		least = defaultHeartbeatMin
	}
	if most <= 0 {
		most = defaultHeartbeatMax
	}
	if least != h.min {
		*h = heart{min: least, present: least}
	}
	h.max = max(least, most)
	h.present = min(h.present, h.max)
}

// interval draws the time to the next heartbeat: up to a tenth more than the present interval, so that devices that
// were connected together do not beat together, but never more than the server asks for.
func (h *heart) interval(rand Rand) time.Duration {
	return h.present + time.Duration(rand(int64(min(h.present/10, h.max-h.present))+1))
}

func (h *heart) success() {
	h.bad = 0
	if h.settled || h.present >= h.max {
		return
	}
	if h.good++; h.good >= heartGood {
		h.good = 0
		h.present = min(h.present+heartStep, h.max)
	}
}

func (h *heart) failure() {
	h.good = 0
	if h.present <= h.min {
		return
	}
	if h.bad++; h.bad >= heartBad {
		h.bad = 0
		h.settled = true
		h.present = max(h.present-heartStep, h.min)
	}
}

package ws

import "strconv"

// Limits of the LZ77 window of permessage-deflate, as the power of two (RFC 7692 §7.1.2).
const (
	minWindowBits = 8
	maxWindowBits = 15
)

const (
	extDeflate      = "permessage-deflate"
	parServerReset  = "server_no_context_takeover"
	parClientReset  = "client_no_context_takeover"
	parServerWindow = "server_max_window_bits"
	parClientWindow = "client_max_window_bits"
)

// Deflate holds the parameters of permessage-deflate (RFC 7692 §7.1). For a server they are what it wants at least, for
// a client what it offers, and in an Agreement what holds for the connection. Windows are powers of two from 8 to 15;
// 0 means 15.
//
// The memory that a connection keeps between messages follows from them: a receiver keeps the window of its peer, 512
// bytes to 32 KiB, and a sender 4 KiB, each only if the context is taken over from message to message.
type Deflate struct {
	ServerNoContext  bool // the server compresses each message on its own
	ClientNoContext  bool // the client does
	ServerWindowBits int  // for what the server sends
	ClientWindowBits int  // for what the client sends
}

// normal puts the default for windows that are not given, and the nearest limit for those outside.
func (d Deflate) normal() Deflate {
	for _, bits := range []*int{&d.ServerWindowBits, &d.ClientWindowBits} {
		if *bits == 0 {
			*bits = maxWindowBits
		}
		*bits = min(max(*bits, minWindowBits), maxWindowBits)
	}
	return d
}

// deflateParams is an offer or an answer as it was read.
type deflateParams struct {
	serverReset, clientReset   bool
	serverWindow, clientWindow int  // 0 if there was none
	clientWindowHint           bool // client_max_window_bits, with or without a value
}

// set takes one parameter and reports whether it is legal: known, not a repetition, with a value that fits. A value is
// nil if there was none. Only an offer may have client_max_window_bits without one (§7.1.2.2).
func (d *deflateParams) set(name, value []byte, offer bool) bool {
	switch string(name) {
	case parServerReset:
		ok := !d.serverReset && value == nil
		d.serverReset = true
		return ok
	case parClientReset:
		ok := !d.clientReset && value == nil
		d.clientReset = true
		return ok
	case parServerWindow:
		ok := d.serverWindow == 0
		d.serverWindow = windowBits(value)
		return ok && d.serverWindow != 0
	case parClientWindow:
		ok := !d.clientWindowHint
		d.clientWindowHint = true
		if value == nil {
			return ok && offer
		}
		d.clientWindow = windowBits(value)
		return ok && d.clientWindow != 0
	}
	return false
}

// windowBits reads a decimal number from 8 to 15 without leading zeros (§7.1.2.1); anything else is 0.
func windowBits(value []byte) int {
	n, err := strconv.Atoi(string(value))
	if err != nil || value[0] < '1' || value[0] > '9' || n < minWindowBits || n > maxWindowBits {
		return 0
	}
	return n
}

// agree is what a server that wants policy makes of an offer.
func (offer deflateParams) agree(policy Deflate) Deflate {
	agreed := policy.normal()
	agreed.ServerNoContext = agreed.ServerNoContext || offer.serverReset
	agreed.ClientNoContext = agreed.ClientNoContext || offer.clientReset
	if offer.serverWindow != 0 {
		agreed.ServerWindowBits = min(agreed.ServerWindowBits, offer.serverWindow)
	}
	if !offer.clientWindowHint {
		// Such a client cannot be told its window (§7.1.2.2), but any client can be told to start afresh with each
		// message (§7.1.1.2): the memory that the policy allows is kept to either way.
		agreed.ClientNoContext = agreed.ClientNoContext || agreed.ClientWindowBits < maxWindowBits
		agreed.ClientWindowBits = maxWindowBits
	} else if offer.clientWindow != 0 {
		agreed.ClientWindowBits = min(agreed.ClientWindowBits, offer.clientWindow)
	}
	return agreed
}

// appendAnswer appends the extension as the server's answer to offer.
func (d Deflate) appendAnswer(dst []byte, offer deflateParams) []byte {
	dst = append(dst, extDeflate...)
	dst = appendFlag(dst, parServerReset, d.ServerNoContext)
	dst = appendFlag(dst, parClientReset, d.ClientNoContext)
	if d.ServerWindowBits < maxWindowBits || offer.serverWindow != 0 {
		dst = appendWindow(dst, parServerWindow, d.ServerWindowBits)
	}
	if d.ClientWindowBits < maxWindowBits {
		dst = appendWindow(dst, parClientWindow, d.ClientWindowBits)
	}
	return dst
}

// appendOffer appends the extension as a client offers it. It always says that the client can be told its window.
func (d Deflate) appendOffer(dst []byte) []byte {
	d = d.normal()
	dst = append(dst, extDeflate...)
	dst = appendFlag(dst, parServerReset, d.ServerNoContext)
	dst = appendFlag(dst, parClientReset, d.ClientNoContext)
	if d.ServerWindowBits < maxWindowBits {
		dst = appendWindow(dst, parServerWindow, d.ServerWindowBits)
	}
	if d.ClientWindowBits < maxWindowBits {
		return appendWindow(dst, parClientWindow, d.ClientWindowBits)
	}
	return appendFlag(dst, parClientWindow, true)
}

func appendFlag(dst []byte, name string, on bool) []byte {
	if !on {
		return dst
	}
	return append(append(dst, "; "...), name...)
}

func appendWindow(dst []byte, name string, bits int) []byte {
	return strconv.AppendInt(append(appendFlag(dst, name, true), '='), int64(bits), 10)
}

// conclude is what holds for a client that has made the offer d and got answer, and whether the answer keeps to the
// offer: a server must grant what reduces its own context (§7.1.1.1, §7.1.2.1), and may reduce either side's further.
func (d Deflate) conclude(answer deflateParams) (Deflate, bool) {
	agreed := d.normal()
	if agreed.ServerNoContext && !answer.serverReset {
		return agreed, false
	}
	if answer.serverWindow > agreed.ServerWindowBits || answer.serverWindow == 0 && agreed.ServerWindowBits < maxWindowBits {
		return agreed, false
	}
	if answer.clientWindow > agreed.ClientWindowBits {
		return agreed, false
	}
	agreed.ServerNoContext = answer.serverReset
	agreed.ClientNoContext = agreed.ClientNoContext || answer.clientReset
	if answer.serverWindow != 0 {
		agreed.ServerWindowBits = answer.serverWindow
	}
	if answer.clientWindow != 0 {
		agreed.ClientWindowBits = answer.clientWindow
	}
	return agreed, true
}

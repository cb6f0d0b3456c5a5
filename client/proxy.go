package client

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// proxyFor returns the HTTP proxy that stands between this machine and an address, nil if there is none: what HTTPS_PROXY
// says, unless NO_PROXY excepts the address.
func (o *DialOptions) proxyFor(address string) (*url.URL, error) {
	if o.DialContext != nil {
		return nil, nil
	}
	return http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "https", Host: address}})
}

// connectThrough asks an HTTP proxy for a tunnel to an address (RFC 9110 §9.3.6).
func connectThrough(ctx context.Context, proxy *url.URL, address string) (net.Conn, error) {
	if proxy.Scheme != "http" {
		return nil, fmt.Errorf("the proxy %s is none that is asked over http", proxy.Redacted())
	}
	at := proxy.Host
	if proxy.Port() == "" {
		at = net.JoinHostPort(proxy.Hostname(), "80")
	}
	nc, err := dialer.DialContext(ctx, "tcp", at)
	if err != nil {
		return nil, fmt.Errorf("the proxy %s: %w", at, err)
	}
	request := bytes.NewBufferString("CONNECT " + address + " HTTP/1.1\r\nHost: " + address + "\r\n")
	if user := proxy.User; user != nil {
		password, _ := user.Password()
		request.WriteString("Proxy-Authorization: Basic " +
			base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)) + "\r\n")
	}
	request.WriteString("\r\n")
	response, rest, err := exchangeHead(ctx, nc, request.Bytes())
	switch {
	case err != nil:
		err = fmt.Errorf("the proxy %s: %w", at, err)
	case response.Status/100 != 2:
		err = fmt.Errorf("the proxy %s leads no way there: it answered with status %d", at, response.Status)
	case len(rest) > 0: // before a word was said
		err = fmt.Errorf("the proxy %s speaks where the server should", at)
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return nc, nil
}

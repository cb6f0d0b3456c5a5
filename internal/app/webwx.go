package app

import (
	"crypto/tls"
	"net/http"
	"time"

	"github.com/hongyan-im/hongyan/internal/api"
	"github.com/hongyan-im/hongyan/internal/certs"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/operation"
	"github.com/hongyan-im/hongyan/internal/webwx"
)

// makeWebWX makes the adapter of Web WeChat clients; nil if it is off.
func (s *Server) makeWebWX(part *inbox.Shard, desk *operation.Desk) (*webwx.Server, error) {
	if s.config.WebWX.Access == config.AccessOff {
		return nil, nil
	}
	secret, err := keptSecret(part, "webwx-secret", webwx.SecretSize)
	if err != nil {
		return nil, err
	}
	var front *tls.Config
	if s.config.WebWX.Connect {
		source, err := certs.Authority(s.config.Data, "webwx-ca.pem", webwx.Domains, webwx.Hosts, s.log)
		if err != nil {
			return nil, err
		}
		front = source.Config()
	}
	return webwx.New(webwx.Config{
		Front: front, Media: s.media, Setting: desk.Chat.Setting,
		Start: s.api.Start,
		Peer: func(r *http.Request) api.Peer {
			p := s.peer(r)
			return s.apiPeer(p)
		},
		Secret: [webwx.SecretSize]byte(secret), Generation: s.engine.Generation(), LoopbackOnly: s.config.WebWX.Access == config.AccessLoopback,
		Now: time.Now, Clock: desk.Chat.Clock, Log: s.log, Metrics: s.metrics,
	})
}

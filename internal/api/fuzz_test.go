package api

import (
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/wire"
)

// FuzzBody sends any bytes as the body of any operation, in either format, by somebody who may. The answer is one of the
// operation, or a problem that is not the server's fault.
func FuzzBody(f *testing.F) {
	for i, row := range wire.Operations {
		f.Add(uint8(i), false, []byte(`{"key":"","limit":3,"waitMs":0,"names":["anna"],"device":{"class":"WEB"},"users":["1"]}`))
		body, err := proto.Marshal(row.NewRequest())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), true, append(body, 0x0a, 1, 'x', 0x10, 2))
	}
	w := newWorld(f)
	var d *device
	rounds := uint32(0)
	f.Fuzz(func(t *testing.T, op uint8, protobuf bool, body []byte) {
		row := &wire.Operations[int(op)%len(wire.Operations)]
		if row.Op == wire.OpSync {
			body = withoutWait(protobuf, body)
		}
		// From another address each time: nobody is slowed down for what others have guessed.
		rounds++
		from := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, rounds)))
		w.peer.Store(&Peer{Peer: account.Peer{Addr: from}, Secure: true})
		if d == nil {
			d = (&world{tb: t, api: w.api, http: w.http}).register(strings.ToLower(requestID("")))
		}
		mediaType := typeJSON
		if protobuf {
			mediaType = typeProtobuf
		}
		r := httptest.NewRequest(http.MethodPost, Prefix+wire.Path(row.Name), strings.NewReader(string(body)))
		r.Header.Set("Content-Type", mediaType)
		r.Header.Set("Authorization", "Bearer "+d.token)
		got := httptest.NewRecorder()
		w.api.ServeHTTP(got, r)

		if got.Code == http.StatusOK {
			reply := row.NewReply()
			err := protojson.Unmarshal(got.Body.Bytes(), reply)
			if protobuf {
				err = proto.Unmarshal(got.Body.Bytes(), reply)
			}
			if err != nil {
				t.Errorf("%s was answered with %q: %v", row.Name, got.Body, err)
			}
			return
		}
		var p problem
		err := json.Unmarshal(got.Body.Bytes(), &p)
		if p.Code == "REVOKED" { // it has logged itself out
			d = nil
			return
		}
		if err != nil || p.Status != got.Code || p.Code == "INTERNAL" || p.Code == "UNKNOWN_OPERATION" || p.Detail == "" {
			t.Errorf("%s was refused with %d %q: %v", row.Name, got.Code, got.Body, err)
		}
	})
}

// withoutWait is a body of Sync that is not held.
func withoutWait(protobuf bool, body []byte) []byte {
	q := new(wire.SyncRequest)
	if protobuf && wire.Unmarshal(body, q) == nil && q.WaitMs > 0 || !protobuf && jsonInto(body, q) == nil && q.WaitMs > 0 {
		return nil
	}
	return body
}

// FuzzHead sends any path, type, token and id. Every answer is a problem or an answer, with the id of the request.
func FuzzHead(f *testing.F) {
	f.Add("POST", "sync", "application/json", "Bearer x", "id", "", "*/*", "key=x")
	f.Add("GET", "events", "", "", "", "http://x", "", "ticket=y&key=z")
	f.Add("OPTIONS", "send", "a/b;c", "Basic", "\x00", "null", "application/x-protobuf", "%zz")
	f.Add("GET", "", "", "", "", "", "", "")
	f.Add("GET", "openapi.json", "", "", "", "", "", "")
	w := newWorld(f, "https://friend.example")
	f.Fuzz(func(t *testing.T, method, path, mediaType, authorization, id, origin, accept, query string) {
		r := httptest.NewRequest(http.MethodPost, Prefix, strings.NewReader("{}"))
		r.Method, r.URL.Path, r.URL.RawQuery = method, Prefix+path, query
		for name, value := range map[string]string{
			"Content-Type": mediaType, "Authorization": authorization, "X-Request-Id": id, "Origin": origin, "Accept": accept,
		} {
			r.Header.Set(name, value)
		}
		got := httptest.NewRecorder()
		w.api.ServeHTTP(got, r)
		if echoed := got.Header().Get("X-Request-Id"); echoed == "" || requestID(echoed) != echoed {
			t.Errorf("the id of the answer is %q", echoed)
		}
		if got.Code < 400 {
			return
		}
		var p problem
		if err := json.Unmarshal(got.Body.Bytes(), &p); err != nil || p.Code == "" || p.Code == "INTERNAL" || p.Status != got.Code {
			t.Errorf("refused with %d %q: %v", got.Code, got.Body, err)
		}
	})
}

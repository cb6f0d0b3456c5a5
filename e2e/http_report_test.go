package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// get reads a path of the short link into v.
func (h *short) get(path string, v any) {
	h.t.Helper()
	r, err := h.client.Get(h.base + path)
	if err != nil {
		h.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		h.t.Fatalf("%s: %s %s, %v", path, r.Status, text, err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		h.t.Fatal(err)
	}
}

// TestAddressesAndReports asks for the places that the configuration names, and reports: the operator finds the report
// after a kill too.
func TestAddressesAndReports(t *testing.T) {
	s := newServer(t, t.TempDir(), "--http.advertise", "localhost:14000,localhost:8080=5,192.0.2.1:443")
	client := &short{t: t, client: &http.Client{Transport: &http.Transport{}}, base: "http://" + s.addr + "/v1/"}
	t.Cleanup(client.client.CloseIdleConnections)
	var list struct {
		Addresses []struct {
			Host   string
			Port   int
			Weight int
			IPs    []string
		}
		TLSPin string
	}
	client.get("addresses", &list)
	if len(list.Addresses) != 3 || list.TLSPin == "" {
		t.Fatalf("the list is %+v", list)
	}
	first, second, last := list.Addresses[0], list.Addresses[1], list.Addresses[2]
	if first.Port != 8080 || first.Weight != 5 || !slices.Contains(first.IPs, "127.0.0.1") && !slices.Contains(first.IPs, "::1") {
		t.Errorf("the first place is %+v", first)
	}
	if second.Host != "192.0.2.1" || !slices.Equal(second.IPs, []string{"192.0.2.1"}) || last.Port != 14000 {
		t.Errorf("the others are %+v and %+v", second, last)
	}

	body := `{"client":"e2e","attempts":[{"transport":"tls","address":"a:1","atMs":"5","stage":"dns","error":"no such host"}]}`
	r, err := client.client.Post(client.base+"report", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Fatalf("the report was answered with %s", r.Status)
	}
	s.kill()
	s.start()
	var reports struct {
		Reports []struct {
			RequestID string
			Report    json.RawMessage
		}
	}
	s.byHTTP().get("reports", &reports)
	if len(reports.Reports) != 1 || reports.Reports[0].RequestID != r.Header.Get("X-Request-Id") ||
		!strings.Contains(string(reports.Reports[0].Report), "no such host") {
		t.Errorf("the operator reads %s", reports)
	}
}

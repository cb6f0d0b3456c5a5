package api

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// TestThePage looks for every operation and code on it, and for links that lead nowhere.
func TestThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.do("GET", "/v1/", "")
	page := string(a.body)
	if a.StatusCode != 200 || a.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%s %v", a.Status, a.Header)
	}
	for _, row := range wire.Operations {
		if !strings.Contains(page, "<code>POST /v1/"+wire.Path(row.Name)+"</code>") {
			t.Errorf("%s is not on the page", row.Name)
		}
	}
	for _, name := range hongyan.Codes() {
		if !strings.Contains(page, `id="`+strings.ToUpper(name)+`"`) {
			t.Errorf("%s is not on the page", name)
		}
	}
	for _, m := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(page, `id="`+m[1]+`"`) {
			t.Errorf("a link leads to %s, which is not there", m[1])
		}
	}
	if a := w.do("GET", "/v1/openapi.json", ""); !bytes.Equal(a.body, document) || a.Header.Get("Content-Type") != typeJSON {
		t.Errorf("the document: %s %v", a.Status, a.Header)
	}
}

package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
)

// TestText writes every vector of the bodies as text in both directions.
func TestText(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(bodiesFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []bodyVector }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	for i, v := range file.Vectors {
		fromText, err := ParseText(fmt.Appendf(nil, `{"op":%d,"seq":%d,"body":%s}`, v.Op, i, v.JSON))
		if err != nil {
			t.Fatalf("%s: %v", v.Message, err)
		}
		if fromText.Op != Op(v.Op) || fromText.Seq != uint32(i) {
			t.Fatalf("%s: op %d, seq %d", v.Message, fromText.Op, fromText.Seq)
		}
		text, err := AppendText(nil, Frame{Op: Op(v.Op), Seq: uint32(i), Body: unhex(t, v.Binary)})
		if err != nil {
			t.Fatalf("%s: %v", v.Message, err)
		}
		again, err := ParseText(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		want := newBody(t, Op(v.Op))
		if err := Unmarshal(unhex(t, v.Binary), want); err != nil {
			t.Fatal(err)
		}
		for _, f := range []Frame{fromText, again} {
			got := newBody(t, f.Op)
			if err := Unmarshal(f.Body, got); err != nil || !proto.Equal(got, want) {
				t.Errorf("%s: %v, want %v (%v)", v.Message, got, want, err)
			}
		}
	}
}

func TestParseText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want Frame
		code hongyan.Code
	}{
		{`{"op":6}`, Frame{Op: 6}, 0},
		{` {"seq":7,"op":6,"body":{},"more":[1]} `, Frame{Op: 6, Seq: 7}, 0},
		{`{"op":6,"seq":4294967295,"body":{"unheard":1}}`, Frame{Op: 6, Seq: 4294967295}, 0},
		{`{"op":999,"seq":1,"body":{"x":1}}`, Frame{Op: 999, Seq: 1}, 0},
		{`{"op":40,"seq":8,"body":{"conversation":5}}`, Frame{Op: 40, Seq: 8}, hongyan.Invalid},
		{`{"op":40,"seq":8,"body":[]}`, Frame{Op: 40, Seq: 8}, hongyan.Invalid},
		{`{"seq":8}`, Frame{}, hongyan.Invalid},
		{`{"op":-1}`, Frame{}, hongyan.Invalid},
		{`{"op":4294967296}`, Frame{}, hongyan.Invalid},
		{`{"op":"40"}`, Frame{}, hongyan.Invalid},
		{`[]`, Frame{}, hongyan.Invalid},
		{``, Frame{}, hongyan.Invalid},
		{`{"op":6}{}`, Frame{}, hongyan.Invalid},
	} {
		f, err := ParseText([]byte(c.text))
		if f.Op != c.want.Op || f.Seq != c.want.Seq || len(f.Body) != 0 || err != nil && hongyan.CodeOf(err) != c.code || (err != nil) != (c.code != 0) {
			t.Errorf("%s: %+v, %v", c.text, f, err)
		}
	}
}

func TestAppendTextOfUnknown(t *testing.T) {
	t.Parallel()
	for _, f := range []Frame{{Op: 999, Body: []byte{8, 1}}, {Op: OpSend, Body: []byte{0xff}}} {
		if out, err := AppendText([]byte("x"), f); err == nil || string(out) != "x" {
			t.Errorf("%+v: %q, %v", f, out, err)
		}
	}
}

// FuzzText holds what can be read to being written and read again as the same.
func FuzzText(f *testing.F) {
	f.Add([]byte(`{"op":40,"seq":7,"body":{"clientId":"AAAAAAAAAAAAAAAAAAAAAA==","conversation":"d:1:2"}}`))
	f.Add([]byte(`{"op":1000000020,"seq":1,"body":{"key":"AQ==","more":true}}`))
	f.Add([]byte(`{"op":30}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		one, err := ParseText(text)
		if err != nil {
			return
		}
		out, err := AppendText(nil, one)
		if err != nil {
			t.Fatal(err)
		}
		two, err := ParseText(out)
		if err != nil {
			t.Fatal(err)
		}
		if one.Op != two.Op || one.Seq != two.Seq {
			t.Fatalf("%+v became %+v", one, two)
		}
		body := bodyOf(one.Op)
		if body == nil {
			return
		}
		other := bodyOf(one.Op)
		if Unmarshal(one.Body, body) != nil || Unmarshal(two.Body, other) != nil || !proto.Equal(body, other) && !bytes.Equal(one.Body, two.Body) {
			t.Fatalf("%v became %v", body, other)
		}
	})
}

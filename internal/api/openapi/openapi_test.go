package openapi

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/hongyan-im/hongyan/internal/api"
	"github.com/hongyan-im/hongyan/wire"
)

// TestTheCommittedDocument compares what is committed with what the compiled schema gives. Only what is said about things
// may differ: compiled descriptors have no comments.
func TestTheCommittedDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	made, err := Document(Source{Find: protoregistry.GlobalFiles.FindDescriptorByName})
	if err != nil {
		t.Fatal(err)
	}
	var committed, fresh any
	for into, text := range map[*any][]byte{&committed: text, &fresh: made} {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
		silence(*into)
	}
	a, _ := json.MarshalIndent(committed, "", " ")
	b, _ := json.MarshalIndent(fresh, "", " ")
	if !bytes.Equal(a, b) {
		for i, line := range strings.Split(string(b), "\n") {
			if was := strings.Split(string(a), "\n"); i >= len(was) || was[i] != line {
				t.Fatalf("internal/api/openapi.json is old, first in line %d, where %s is due: run make generate", i+1, line)
			}
		}
	}
}

// silence takes the descriptions out of a document.
func silence(v any) {
	switch v := v.(type) {
	case object:
		for _, said := range []string{"description", "summary"} {
			if _, text := v[said].(string); text {
				delete(v, said)
			}
		}
		for _, inner := range v {
			silence(inner)
		}
	case []any:
		for _, inner := range v {
			silence(inner)
		}
	}
}

// TestTheDocumentIsWhole: every reference leads somewhere, and every operation says what it does.
func TestTheDocumentIsWhole(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc object
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	var look func(v any)
	look = func(v any) {
		switch v := v.(type) {
		case object:
			if target, ok := v["$ref"].(string); ok && find(doc, target) == nil {
				t.Errorf("there is no %s", target)
			}
			for _, inner := range v {
				look(inner)
			}
		case []any:
			for _, inner := range v {
				look(inner)
			}
		}
	}
	look(doc)
	paths := doc["paths"].(object)
	for _, row := range wire.Operations {
		path, _ := paths[api.Prefix+wire.Path(row.Name)].(object)
		post, _ := path["post"].(object)
		if post["operationId"] != row.Name || post["summary"] == "" || post["summary"] == nil {
			t.Errorf("%s is described by %v", row.Name, post)
		}
	}
}

func find(doc any, target string) any {
	for step := range strings.SplitSeq(strings.TrimPrefix(target, "#/"), "/") {
		at, ok := doc.(object)
		if !ok {
			return nil
		}
		doc = at[step]
	}
	return doc
}

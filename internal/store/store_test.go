package store

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/kv"
)

func TestOpenNewAndAgain(t *testing.T) {
	t.Parallel()
	s := kv.NewMemory()
	first, err := Open(s, bytes.NewReader([]byte("generate"))) // exactly as much randomness as it needs
	if err != nil {
		t.Fatal(err)
	}
	if first.Generation() != 0x67656e6572617465 {
		t.Errorf("the generation is %x", first.Generation())
	}
	again, err := Open(s, nil)
	if err != nil || again.Generation() != first.Generation() {
		t.Errorf("opened again: generation %x, %v", again.Generation(), err)
	}
	other, err := Open(kv.NewMemory(), nil)
	if err != nil || other.Generation() == first.Generation() {
		t.Errorf("another store has the generation %x, %v", other.Generation(), err)
	}
	for _, s := range []*Store{first, other} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := Open(s, nil); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("a closed engine is opened with the error %v", err)
	}
}

func TestOpenForeign(t *testing.T) {
	t.Parallel()
	schema := num64(nil, Schema)
	for _, test := range []struct {
		name string
		put  map[string][]byte
		says string
	}{
		{"somebody else's", map[string][]byte{"key": []byte("value")}, "no schema"},
		{"without generation", map[string][]byte{"zschema": schema}, "no generation"},
		{"short schema", map[string][]byte{"zschema": {1}}, "1 bytes"},
		{"long generation", map[string][]byte{"zschema": schema, "zgeneration": append(schema, 0)}, "9 bytes"},
		{"empty schema", map[string][]byte{"zschema": {}, "zgeneration": schema}, "0 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := &rig{t: t, kv: kv.NewMemory()}
			for k, v := range test.put {
				g.raw([]byte(k), v)
			}
			_, err := Open(g.kv, nil)
			var foreign *ForeignError
			if !errors.As(err, &foreign) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("opened with the error %v", err)
			}
		})
	}
}

func TestOpenNewerSchema(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.raw(metaKey(metaSchema), num64(nil, Schema+1))
	_, err := Open(g.kv, nil)
	var newer *NewerSchemaError
	if !errors.As(err, &newer) || newer.Found != Schema+1 || !strings.Contains(err.Error(), "schema 2") {
		t.Errorf("opened with the error %v", err)
	}
}

// TestClaimFences makes sure that a writer of an earlier term cannot write.
func TestClaimFences(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	old := g.Writer
	g.open()
	tx := old.Begin()
	Names.Put(tx, "ann", new(hongyan.UserID(1)))
	if _, err := tx.Apply(); !errors.Is(err, kv.ErrFenced) {
		t.Errorf("a writer of an earlier term writes with the error %v", err)
	}
	g.write(func(tx *Tx) { Names.Put(tx, "ann", new(hongyan.UserID(2))) })
	term, err := g.Claim(0)
	if err != nil {
		t.Fatal(err)
	}
	tx = g.Begin()
	Names.Put(tx, "bob", new(hongyan.UserID(3)))
	if _, err := tx.Apply(); !errors.Is(err, kv.ErrFenced) {
		t.Errorf("after a further claim the writer writes with the error %v", err)
	}
	g.SetTerm(term)
	g.write(func(tx *Tx) { Names.Put(tx, "bob", new(hongyan.UserID(4))) })
}

func TestRandomID(t *testing.T) {
	t.Parallel()
	r := rand.NewChaCha8([32]byte{})
	for range 1000 {
		if id, err := RandomID(r); err != nil || id == 0 || id >= 1<<53 {
			t.Fatalf("drew %d, %v", id, err)
		}
	}
	// Nothing but zeros is drawn again; a source that ends is an error.
	if id, err := RandomID(bytes.NewReader(append(make([]byte, 8), 0, 0, 0, 0, 0, 0, 8, 0))); id != 1 || err != nil {
		t.Errorf("after zero drew %d, %v", id, err)
	}
	if _, err := RandomID(bytes.NewReader(make([]byte, 12))); err == nil {
		t.Error("drew from a source without randomness")
	}
}

package media

import (
	"bytes"
	"crypto/sha256"
	"image"
	"os"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
)

// TestSave keeps a picture and a file, and finds both again after a restart.
func TestSave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orphan := sha256.Sum256([]byte("orphan"))
	picture := pngOf(t, 600, 300)
	m, err := w.Save(t.Context(), 1, "folder/reeds.png", "", bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(picture)
	if !strings.HasPrefix(m.Ref, RefPrefix) || m.Name != "reeds.png" || m.MIME != "image/png" || m.Size != uint64(len(picture)) ||
		m.Width != 600 || m.Height != 300 || !bytes.Equal(m.SHA256, sum[:]) {
		t.Errorf("the picture is %+v", m)
	}
	small, format, err := image.Decode(bytes.NewReader(m.Thumbnail))
	if err != nil || format != "jpeg" || small.Bounds().Dx() != 240 || small.Bounds().Dy() != 120 || len(m.Thumbnail) > hongyan.MaxThumbnail {
		t.Fatalf("the thumbnail has %d bytes: %v %v", len(m.Thumbnail), format, err)
	}
	if r, _, b, _ := small.At(60, 60).RGBA(); r < 0xd000 || b > 0x3000 {
		t.Errorf("the left of the thumbnail is %v", small.At(60, 60))
	}
	content := hongyan.Content{Kind: hongyan.KindImage, Media: &m}
	if err := content.Check(); err != nil {
		t.Errorf("the picture does not fit into a message: %v", err)
	}
	text, err := w.Save(t.Context(), 1, "poem.txt", "text/plain", strings.NewReader("the goose"))
	if err != nil {
		t.Fatal(err)
	}
	w.reopen()
	if !bytes.Equal(w.read(m.Ref), picture) || string(w.read(text.Ref)) != "the goose" {
		t.Error("after a restart there are other bytes")
	}
	if again, err := w.Thumbnail(t.Context(), m.Ref); err != nil || !bytes.Equal(again, m.Thumbnail) {
		t.Errorf("after a restart there is another thumbnail: %v", err)
	}
	// What a crash between the file and its record has left is used.
	if err := os.WriteFile(w.objectPath(orphan[:]), []byte("orphan"), 0o600); err != nil {
		t.Fatal(err)
	}
	if m, err := w.Save(t.Context(), 1, "", "", strings.NewReader("orphan")); err != nil || string(w.read(m.Ref)) != "orphan" {
		t.Errorf("a file that was there already: %v", err)
	}
	_, err = w.Thumbnail(t.Context(), text.Ref)
	wantCode(t, "the thumbnail of a text", err, hongyan.NotFound)
}

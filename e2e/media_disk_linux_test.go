package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// raw makes a request with a token and returns the status and the body of its answer.
func (h *short) raw(method, path string, body []byte) (int, []byte) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.base+path, bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+h.token)
	if path == "media" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := h.client.Do(r)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer.StatusCode, text
}

// beginUpload begins an upload and returns its path.
func (h *short) beginUpload() string {
	h.t.Helper()
	var begun struct{ Upload string }
	status, text := h.raw(http.MethodPost, "media", []byte(`{"size":"2097152"}`))
	if err := json.Unmarshal(text, &begun); err != nil || status != http.StatusCreated {
		h.t.Fatalf("begin: %d %s", status, text)
	}
	return "media/uploads/" + begun.Upload
}

// finishUpload finishes an upload and returns the reference.
func (h *short) finishUpload(path string) string {
	h.t.Helper()
	var m struct{ Ref string }
	status, text := h.raw(http.MethodPost, path+"/finish", nil)
	if err := json.Unmarshal(text, &m); err != nil || status != http.StatusOK {
		h.t.Fatalf("finish: %d %s", status, text)
	}
	return m.Ref
}

// TestUploadsOnALowDisk: below the low-water mark uploads are refused, downloads go on, and when there is room again the
// uploads go on too.
func TestUploadsOnALowDisk(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		disk := smallDisk(t, "512")
		s := newServer(t, filepath.Join(disk, "data"), "--storage.low_water", "100MiB")
		s.addUser("alice")
		alice := s.shortLogin("alice")
		content := make([]byte, 2<<20)
		rand.Read(content)
		first, second := alice.beginUpload(), alice.beginUpload()
		alice.raw(http.MethodPut, first+"?offset=0", content)
		alice.raw(http.MethodPut, second+"?offset=0", content[:1<<20])
		ref := alice.finishUpload(first)

		filler := fill(t, disk, 50<<20)
		part := func() int {
			status, _ := alice.raw(http.MethodPut, second+"?offset=1048576", content[1<<20:])
			return status
		}
		waitUntil(t, func() bool { return part() == http.StatusInsufficientStorage }) // the server looks at its disk every second
		for _, path := range []string{"media", "media/whole"} {
			if status, text := alice.raw(http.MethodPost, path, []byte(`{"size":"1"}`)); status != http.StatusInsufficientStorage ||
				!strings.Contains(string(text), "STORAGE_LOW") {
				t.Errorf("%s: %d %s", path, status, text)
			}
		}
		if status, text := alice.raw(http.MethodGet, "media/"+ref, nil); status != http.StatusOK || !bytes.Equal(text, content) {
			t.Errorf("a download on a low disk: %d, %d bytes", status, len(text))
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		waitUntil(t, func() bool { return part() == http.StatusOK })
		if again := alice.finishUpload(second); again != ref {
			t.Errorf("the same bytes of the same account are %s and %s", ref, again)
		}
	})
}

// TestUploadOnAFullDisk: a part that finds no room is refused as such and counts for nothing; with room it is taken.
func TestUploadOnAFullDisk(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		disk := smallDisk(t, "256")
		s := newServer(t, filepath.Join(disk, "data"), "--storage.low_water", "0B")
		s.addUser("alice")
		alice := s.shortLogin("alice")
		content := make([]byte, 2<<20)
		rand.Read(content)
		path := alice.beginUpload()
		filler := fill(t, disk, 0)
		if status, text := alice.raw(http.MethodPut, path+"?offset=0", content); status != http.StatusInsufficientStorage ||
			!strings.Contains(string(text), "STORAGE_LOW") {
			t.Errorf("on a full disk: %d %s", status, text)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		if status, text := alice.raw(http.MethodPut, path+"?offset=0", content); status != http.StatusOK {
			t.Errorf("with room: %d %s", status, text)
		}
		if status, text := alice.raw(http.MethodGet, "media/"+alice.finishUpload(path), nil); status != http.StatusOK || !bytes.Equal(text, content) {
			t.Errorf("the file came back with %d, %d bytes", status, len(text))
		}
	})
}

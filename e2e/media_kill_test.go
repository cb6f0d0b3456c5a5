package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

// TestUploadThroughKills kills the server again and again while a file is uploaded, and once more when it is finished. What
// the server has said to have it has after every start, and the file is whole.
func TestUploadThroughKills(t *testing.T) {
	s := newServer(t, t.TempDir())
	s.addUser("alice", "bob")
	alice, bob := s.login("alice", nil), s.login("bob", nil)
	content := make([]byte, 20<<20+123)
	rand.Read(content)

	told := make(chan int64, 1000) // more than there are parts
	type outcome struct {
		m   hongyan.Media
		err error
	}
	ended := make(chan outcome, 1)
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	go func() {
		m, err := alice.Upload(ctx, client.Upload{
			Name: "reeds.raw", Content: bytes.NewReader(content), Size: int64(len(content)),
			Progress: func(n int64) { told <- n },
		})
		close(told)
		ended <- outcome{m, err}
	}()
	kills, most := 0, int64(0)
	for done := range told {
		if done < most {
			t.Errorf("the server had %d bytes, and after %d kills it has %d", most, kills, done)
		}
		most = max(most, done)
		if kills < 3 && done > int64(kills+1)*int64(len(content))/5 {
			s.kill()
			s.start()
			kills++
		}
	}
	end := <-ended
	if end.err != nil {
		t.Fatal(end.err)
	}
	s.kill()
	s.start()
	if kills != 3 {
		t.Errorf("the server was killed %d times during the upload", kills)
	}
	var back bytes.Buffer
	if _, err := bob.Download(ctx, end.m.Ref, &back, nil); err != nil || !bytes.Equal(back.Bytes(), content) {
		t.Errorf("after the last kill the file has %d bytes, %v", back.Len(), err)
	}
	if again, err := alice.Upload(ctx, client.Upload{
		Name: "reeds.raw", Content: bytes.NewReader(content), Size: int64(len(content)),
	}); err != nil || again.Ref != end.m.Ref {
		t.Errorf("the same file again is %+v, %v", again, err)
	}
}

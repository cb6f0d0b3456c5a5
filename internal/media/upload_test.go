package media

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
)

// TestPartsInAnyOrder cuts files into parts of many sizes that overlap, sends them at random, several at once and some of them
// again, with a crash in between, and gets the same bytes back.
func TestPartsInAnyOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 8 {
		content := noise(random.IntN(2<<20) + 1)
		sum := sha256.Sum256(content)
		u := Upload{Size: int64(len(content)), Name: "goose"}
		if round%2 == 0 {
			u.SHA256 = sum[:]
		}
		id := w.begin(1, u)
		step := random.IntN(len(content)/4+1) + 1
		var parts []Range
		for at := 0; at < len(content); at += step {
			end := min(len(content), at+step+random.IntN(step)) // into the next
			parts = append(parts, Range{int64(at), int64(end - at)})
		}
		parts = append(parts, parts[random.IntN(len(parts))]) // one comes twice
		random.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		crash := random.IntN(len(parts) + 1)
		var wg sync.WaitGroup
		for i, part := range parts {
			if i == crash {
				wg.Wait()
				before, err := w.Received(1, id)
				if err != nil {
					t.Fatal(err)
				}
				w.reopen()
				after, err := w.Received(1, id)
				if err != nil || after.Total() != before.Total() || !after.Expires.Equal(before.Expires) || after.Size != before.Size {
					t.Fatalf("before the crash %+v, after it %+v, %v", before, after, err)
				}
			}
			store := w.Store
			wg.Go(func() {
				if _, err := store.Put(t.Context(), 1, id, part.Offset, bytes.NewReader(content[part.Offset:part.end()])); err != nil {
					t.Errorf("the part %+v: %v", part, err)
				}
			})
			if i%4 == 3 {
				wg.Wait()
			}
		}
		wg.Wait()
		m, err := w.Finish(t.Context(), 1, id)
		if err != nil || m.Size != uint64(len(content)) || !bytes.Equal(m.SHA256, sum[:]) {
			t.Fatalf("finished: %+v, %v", m, err)
		}
		if !bytes.Equal(w.read(m.Ref), content) {
			t.Fatal("there are other bytes under the reference")
		}
	}
	if left := append(w.files(uploadsDir), w.files(tempDir)...); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

// put sends a part that is to be taken.
func (w *world) put(owner hongyan.UserID, id string, offset int64, content []byte) {
	w.tb.Helper()
	if _, err := w.Put(w.tb.Context(), owner, id, offset, bytes.NewReader(content)); err != nil {
		w.tb.Fatal(err)
	}
}

// TestFinishTwice finishes an upload from several sides: all who are there in time get the same, later ones learn that there
// is none, and beginning again tells what became of it. It is counted once.
func TestFinishTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	content := noise(100_000)
	sum := sha256.Sum256(content)
	u := Upload{Size: 100_000, Name: "a", SHA256: sum[:]}
	id := w.begin(1, u)
	w.put(1, id, 0, content)
	if again := w.begin(1, u); again != id {
		t.Errorf("begun again before the end, it is another upload")
	}
	if other := w.begin(2, u); other == id {
		t.Error("another account has got the same upload")
	}
	var wg sync.WaitGroup
	refs := make(chan string, 8)
	for range cap(refs) {
		wg.Go(func() {
			m, err := w.Finish(t.Context(), 1, id)
			if err == nil {
				refs <- m.Ref
			} else if hongyan.CodeOf(err) != hongyan.NotFound {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ref := <-refs
	for len(refs) > 0 {
		if other := <-refs; other != ref {
			t.Errorf("one upload has two references, %s and %s", ref, other)
		}
	}
	b, err := w.Begin(t.Context(), 1, u)
	if err != nil || b.Media == nil || b.Media.Ref != ref {
		t.Errorf("begun again: %+v, %v", b, err)
	}
	if n := w.stored.Load(); n != 100_000 {
		t.Errorf("%d bytes are counted", n)
	}
}

// TestSameObject uploads one file for several accounts at once: each has a reference of its own, the disk has the file once,
// and nobody can tell from its hash that another has it.
func TestSameObject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	content := noise(300_000)
	sum := sha256.Sum256(content)
	refs := make([]string, 12)
	var wg sync.WaitGroup
	for i := range refs {
		owner := hongyan.UserID(1 + i%3)
		if i%2 == 0 {
			wg.Go(func() {
				m, err := w.Save(t.Context(), owner, "f", "", bytes.NewReader(content))
				if refs[i] = m.Ref; err != nil {
					t.Error(err)
				}
			})
			continue
		}
		id := w.begin(owner, Upload{Size: 300_000, Name: "f"})
		wg.Go(func() {
			_, err := w.Put(t.Context(), owner, id, 0, bytes.NewReader(content))
			if err != nil {
				t.Error(err)
			}
			m, err := w.Finish(t.Context(), owner, id)
			if refs[i] = m.Ref; err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, ref := range refs {
		if ref != refs[i%3] || i > 0 && i < 3 && ref == refs[0] {
			t.Errorf("the references are %v", refs)
			break
		}
	}
	if list := w.files(objectsDir); len(list) != 1 {
		t.Errorf("on the disk there are %v", list)
	}
	if n := w.stored.Load(); n != 900_000 {
		t.Errorf("%d bytes are counted for three accounts", n)
	}
	if b, err := w.Begin(t.Context(), 9, Upload{Size: 300_000, Name: "f", SHA256: sum[:]}); err != nil || b.Media != nil {
		t.Errorf("who knows the hash alone gets %+v, %v", b.Media, err)
	}
}

// TestCorruptPart sends a wrong byte: the upload is refused and gone, and the right bytes are taken after it.
func TestCorruptPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	content := noise(10_000)
	sum := sha256.Sum256(content)
	u := Upload{Size: 10_000, SHA256: sum[:]}
	id := w.begin(1, u)
	wrong := bytes.Clone(content)
	wrong[5000] ^= 1
	w.put(1, id, 0, wrong)
	_, err := w.Finish(t.Context(), 1, id)
	wantCode(t, "a wrong byte", err, hongyan.Invalid)
	_, err = w.Received(1, id)
	wantCode(t, "the upload after it", err, hongyan.NotFound)
	if list := append(w.files(objectsDir), w.files(uploadsDir)...); len(list) != 0 {
		t.Errorf("left over: %v", list)
	}
	id = w.begin(1, u)
	w.put(1, id, 0, content)
	w.put(1, id, 0, wrong) // what has come is not written over
	if _, err := w.Finish(t.Context(), 1, id); err != nil {
		t.Error(err)
	}
}

// TestBrokenOff ends a part early: nothing of it counts.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.begin(1, Upload{Size: 1 << 20})
	broken := errors.New("the client has gone")
	_, err := w.Put(t.Context(), 1, id, 0, io.MultiReader(bytes.NewReader(noise(200_000)), iotestErr{broken}))
	if !errors.Is(err, broken) {
		t.Errorf("a part that breaks off: %v", err)
	}
	if p, _ := w.Received(1, id); p.Total() != 0 {
		t.Errorf("%d bytes have come", p.Total())
	}
}

// iotestErr is a reader that fails.
type iotestErr struct{ error }

func (e iotestErr) Read([]byte) (int, error) { return 0, e.error }

// TestEndedUnderway cancels an upload while a part of it comes in: nothing is written any more.
func TestEndedUnderway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.begin(1, Upload{Size: 1 << 20})
	r, sender := io.Pipe()
	result := make(chan error, 1)
	go func() {
		_, err := w.Put(t.Context(), 1, id, 0, r)
		_ = r.Close()
		result <- err
	}()
	if _, err := sender.Write(noise(64 << 10)); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(1, id); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = sender.Write(noise(64 << 10))
		_ = sender.Close()
	}()
	wantCode(t, "the rest of the part", <-result, hongyan.NotFound)
	if left := w.files(uploadsDir); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

// TestExpiry lets uploads run out, before and after a restart, and finds their room free.
func TestExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Quota = 1000 })
	id := w.begin(1, Upload{Size: 600})
	w.put(1, id, 0, noise(100))
	_, err := w.Begin(t.Context(), 1, Upload{Size: 600})
	wantCode(t, "beside it", err, hongyan.TooMany)
	w.pass(UploadTTL - time.Second)
	w.reopen()
	w.Expire()
	if p, err := w.Received(1, id); err != nil || p.Total() != 100 {
		t.Errorf("just before: %+v, %v", p, err)
	}
	w.pass(time.Second)
	w.Expire()
	_, err = w.Received(1, id)
	wantCode(t, "when its time is over", err, hongyan.NotFound)
	if left := w.files(uploadsDir); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
	w.begin(1, Upload{Size: 1000})
}

// TestLimits goes to each limit and one beyond.
func TestLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Quota, c.MaxSize = 10_000, 4000 })
	begin := func(owner hongyan.UserID, size int64) error {
		_, err := w.Begin(t.Context(), owner, Upload{Size: size})
		return err
	}
	save := func(owner hongyan.UserID, size int) error {
		_, err := w.Save(t.Context(), owner, "", "", bytes.NewReader(noise(size)))
		return err
	}
	wantCode(t, "no account", begin(0, 1), hongyan.Forbidden)
	wantCode(t, "no account", save(0, 1), hongyan.Forbidden)
	wantCode(t, "no byte", begin(1, 0), hongyan.Invalid)
	wantCode(t, "fewer", begin(1, -1), hongyan.Invalid)
	wantCode(t, "no byte", save(1, 0), hongyan.Invalid)
	wantCode(t, "too large", begin(1, 4001), hongyan.TooLarge)
	wantCode(t, "too large", save(1, 4001), hongyan.TooLarge)
	wantCode(t, "the largest", save(1, 4000), 0)
	wantCode(t, "the largest", begin(1, 4000), 0)
	wantCode(t, "over the quota", begin(1, 2001), hongyan.TooMany)
	wantCode(t, "over the quota", save(1, 2001), hongyan.TooMany)
	wantCode(t, "within the quota", save(1, 2000), 0)
	wantCode(t, "nothing is left", save(1, 1), hongyan.TooMany)
	wantCode(t, "another account's", save(2, 1), 0)
	for range MaxUploadsPerAccount {
		wantCode(t, "one of many", begin(3, 1), 0)
	}
	wantCode(t, "one too many", begin(3, 1), hongyan.TooMany)
	for owner := hongyan.UserID(10); w.open < MaxUploads; owner++ {
		for i := 0; i < MaxUploadsPerAccount && w.open < MaxUploads; i++ {
			w.enterLocked(owner) // as many others
		}
	}
	wantCode(t, "too many of all", begin(4, 1), hongyan.Busy)
	w.open -= 2
	w.reserved = MaxUploadBytes - 10
	wantCode(t, "too much of all", begin(4, 11), hongyan.Busy)
	wantCode(t, "just not too much", begin(4, 10), 0)
}

// TestPieces sends every other byte until there are too many pieces, and then what lies between.
func TestPieces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const size = 2*MaxRanges + 2
	content := noise(size)
	id := w.begin(1, Upload{Size: size})
	for i := int64(0); i < 2*MaxRanges; i += 2 {
		w.put(1, id, i, content[i:i+1])
	}
	_, err := w.Put(t.Context(), 1, id, size-2, bytes.NewReader(content[size-2:size-1]))
	wantCode(t, "one piece more", err, hongyan.TooMany)
	w.reopen()
	if p, _ := w.Received(1, id); len(p.Received) != MaxRanges {
		t.Errorf("after a restart there are %d pieces", len(p.Received))
	}
	w.put(1, id, 1, content[1:size])
	if m, err := w.Finish(t.Context(), 1, id); err != nil || !bytes.Equal(w.read(m.Ref), content) {
		t.Errorf("finished: %v", err)
	}
}

// TestFullDisk refuses what is new and gives what is there.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kept, err := w.Save(t.Context(), 1, "", "", strings.NewReader("goose"))
	if err != nil {
		t.Fatal(err)
	}
	id := w.begin(1, Upload{Size: 10})
	w.put(1, id, 0, []byte("0123456789"))
	w.full.Store(true)
	_, err = w.Begin(t.Context(), 1, Upload{Size: 1})
	wantCode(t, "begin", err, hongyan.StorageLow)
	_, err = w.Put(t.Context(), 1, id, 0, strings.NewReader("a"))
	wantCode(t, "a part", err, hongyan.StorageLow)
	_, err = w.Finish(t.Context(), 1, id)
	wantCode(t, "finish", err, hongyan.StorageLow)
	_, err = w.Save(t.Context(), 1, "", "", strings.NewReader("a"))
	wantCode(t, "save", err, hongyan.StorageLow)
	if string(w.read(kept.Ref)) != "goose" {
		t.Error("what was there is not")
	}
	w.full.Store(false)
	if m, err := w.Finish(t.Context(), 1, id); err != nil || string(w.read(m.Ref)) != "0123456789" {
		t.Errorf("finished when there was room again: %v", err)
	}
}

// TestLeftovers opens a store in whose folders a crash has left what makes no sense.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.begin(1, Upload{Size: 1000})
	w.put(1, id, 0, noise(300))
	w.put(1, id, 500, noise(100))
	short := w.begin(1, Upload{Size: 1000})
	for path, content := range map[string][]byte{
		w.path(uploadsDir, id+partsExt):     append(appendPart(appendPart(nil, Range{0, 300}), Range{500, 100}), 0, 0, 0, 0, 0, 0, 0),
		w.path(uploadsDir, short):           []byte("cut off"),
		w.path(uploadsDir, "u_a"+planExt):   []byte("{"),
		w.path(uploadsDir, "u_b"):           []byte("bytes without a plan"),
		w.path(uploadsDir, "u_c"+partsExt):  nil,
		w.path(tempDir, "1234"):             []byte("half a file"),
		w.path(uploadsDir, "u_d.json.json"): []byte("{}"),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.reopen()
	if p, err := w.Received(1, id); err != nil || p.Total() != 400 {
		t.Errorf("the upload that was whole: %+v, %v", p, err)
	}
	_, err := w.Received(1, short)
	wantCode(t, "the upload whose bytes were cut off", err, hongyan.NotFound)
	if list := append(w.files(uploadsDir), w.files(tempDir)...); len(list) != 3 {
		t.Errorf("there are %v", list)
	}
	w.put(1, id, 300, noise(200)) // the list goes on where the damage was
	w.reopen()
	if p, err := w.Received(1, id); err != nil || p.Total() != 600 {
		t.Errorf("after one part more: %+v, %v", p, err)
	}
}

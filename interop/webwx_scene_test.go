//go:build linux

package interop

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// webWorld is a server with three contacts: alice uses openwechat, bob wechat4u, carol the short link.
type webWorld struct {
	*webServer
	dir        string
	tokens     map[string]string
	alice, bob *webBot
	carol      string // her token

}

func newWebWorld(t *testing.T) *webWorld {
	t.Helper()
	w := &webWorld{webServer: serveWeb(t, "alice", "bob", "carol"), dir: t.TempDir(), tokens: map[string]string{}}
	for _, name := range []string{"alice", "bob", "carol"} {
		w.tokens[name] = w.token(name)
	}
	w.carol = w.tokens["carol"]
	w.befriend(w.tokens["alice"], w.tokens["bob"])
	w.befriend(w.tokens["alice"], w.carol)
	w.befriend(w.tokens["bob"], w.carol)
	w.alice = w.openwechat("alice")
	w.bob = w.wechat4u("bob")
	w.alice.told("login")
	w.bob.told("login")
	return w
}

func (w *webWorld) openwechat(name string, args ...string) *webBot {
	return w.launch("openwechat", filepath.Join(w.dir, name), w.tokens[name], args...)
}

func (w *webWorld) wechat4u(name string) *webBot {
	return w.launch("wechat4u", filepath.Join(w.dir, name), w.tokens[name])
}

// picture writes a picture that compresses badly, with about side² × 3 bytes, and returns its path and SHA-256.
func picture(t *testing.T, side int, jpg bool) (path, sum string) {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	noise := make([]byte, side*side*3)
	_, _ = rand.Read(noise)
	for i := range side * side {
		img.SetRGBA(i%side, i/side, color.RGBA{noise[3*i], noise[3*i+1], noise[3*i+2], 255})
	}
	var b bytes.Buffer
	path = filepath.Join(t.TempDir(), "wild goose.png")
	err := png.Encode(&b, img)
	if jpg {
		b.Reset()
		path = filepath.Join(t.TempDir(), "goose.jpg")
		err = jpeg.Encode(&b, img, nil)
	}
	if err == nil {
		err = os.WriteFile(path, b.Bytes(), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := sha256.Sum256(b.Bytes())
	return path, hex.EncodeToString(s[:])
}

// TestWebFiles sends pictures, small and in many parts, and files between bots of both libraries, and forwards one.
func TestWebFiles(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	for _, c := range []struct {
		from, to *webBot
		name     string
	}{{w.alice, w.bob, "bob"}, {w.bob, w.alice, "alice"}} {
		for _, side := range []int{40, 500} { // the second makes two parts
			path, sum := picture(t, side, side == 40)
			c.from.does(object{"do": "image", "to": c.name, "file": path})
			if e := c.to.hears("picture"); e.Text != sum {
				t.Errorf("%s sent a picture of %s, %s got %+v", c.from.name, sum, c.to.name, e)
			}
		}
		path := filepath.Join(t.TempDir(), "letter.txt")
		content := bytes.Repeat([]byte("the wild goose carries letters\n"), 100)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		c.from.does(object{"do": "file", "to": c.name, "file": path})
		s := sha256.Sum256(content)
		if e := c.to.hears("file"); e.Text != "letter.txt "+hex.EncodeToString(s[:]) {
			t.Errorf("%s got %+v", c.to.name, e)
		}
	}
	path, _ := picture(t, 30, true)
	w.alice.does(object{"do": "image", "to": "bob", "file": path})
	w.bob.hears("picture")
	w.alice.does(object{"do": "forward", "to": "carol"})
	list := w.api(w.carol, "conversations", object{})["conversations"].([]any)
	if len(list) != 1 || list[0].(object)["lastMessage"].(object)["content"].(object)["image"].(object)["name"] != "goose.jpg" {
		t.Errorf("forwarded: %v", list)
	}
	if e := w.alice.does(object{"do": "avatar", "to": "bob"}); e.Text != "true" {
		t.Errorf("%+v", e)
	}
	if e := w.bob.does(object{"do": "avatar", "to": "alice"}); e.Text != "true" {
		t.Errorf("%+v", e)
	}
}

// carolSends sends a text to a conversation by the short link.
func (w *webWorld) carolSends(conversation, text string) {
	w.t.Helper()
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	w.api(w.carol, "send", object{
		"conversation": conversation, "clientId": base64.StdEncoding.EncodeToString(id), "firstAttemptMs": time.Now().UnixMilli(),
		"content": object{"text": text},
	})
}

// groups are carol's groups by title.
func (w *webWorld) groups() map[string]string {
	w.t.Helper()
	found := map[string]string{}
	list, _ := w.api(w.carol, "conversations", object{})["conversations"].([]any)
	for _, c := range list {
		if c := c.(object); strings.HasPrefix(c["id"].(string), "g:") {
			found[c["title"].(string)] = c["id"].(string)
		}
	}
	return found
}

// TestWebGroup has two bots and a client of the short link talk in a group: all read the same texts in the same order.
func TestWebGroup(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	if e := w.alice.does(object{"do": "group", "topic": "geese", "members": []string{"bob", "carol"}}); e.Text != "3" {
		t.Errorf("%+v", e)
	}
	if e := w.bob.hears("system"); !strings.Contains(e.Text, "邀请你加入了群聊") {
		t.Errorf("%+v", e)
	}
	geese := w.groups()["geese"]
	if geese == "" {
		t.Fatalf("carol is in %v", w.groups())
	}
	const rounds = 8
	for i := range rounds {
		w.alice.does(object{"do": "text", "to": "geese", "text": fmt.Sprint("alice ", i)})
		w.bob.does(object{"do": "text", "to": "geese", "text": fmt.Sprint("bob ", i)})
		w.carolSends(geese, fmt.Sprint("carol ", i))
	}
	var all []string
	history := w.api(w.carol, "history", object{"conversation": geese})["messages"].([]any)
	for _, m := range history {
		if text, ok := m.(object)["content"].(object)["text"].(string); ok {
			all = append(all, text)
		}
	}
	if len(all) != 3*rounds {
		t.Errorf("carol reads %q", all)
	}
	for bot, name := range map[*webBot]string{w.alice: "alice", w.bob: "bob"} {
		var got []string
		for range 2 * rounds {
			e := bot.hears("text")
			if sender, _, _ := strings.Cut(e.Text, " "); e.Sender != sender || e.From != "geese" {
				t.Errorf("%s: %+v", bot.name, e)
			}
			got = append(got, e.Text)
		}
		want := slices.DeleteFunc(slices.Clone(all), func(text string) bool { return strings.HasPrefix(text, name) })
		if !slices.Equal(got, want) {
			t.Errorf("%s reads %q, want %q", name, got, want)
		}
	}
	w.alice.does(object{"do": "rename", "to": "geese", "topic": "swans"})
	w.bob.hears("system")
	if w.groups()["swans"] != geese {
		t.Errorf("after the renaming: %v", w.groups())
	}
	path, sum := picture(t, 30, false)
	w.bob.does(object{"do": "group", "topic": "pictures", "members": []string{"alice", "carol"}})
	w.alice.hears("system")
	w.bob.does(object{"do": "image", "to": "pictures", "file": path})
	if e := w.alice.hears("picture"); e.Text != sum || e.Sender != "bob" {
		t.Errorf("%+v", e)
	}
	for owner, title := range map[*webBot]string{w.alice: "swans", w.bob: "pictures"} {
		count := func() any {
			id := strings.TrimPrefix(w.groups()[title], "g:")
			return w.api(w.tokens[map[*webBot]string{w.alice: "alice", w.bob: "bob"}[owner]], "get-group", object{"group": id})["group"].(object)["memberCount"]
		}
		owner.does(object{"do": "remove", "to": title, "members": []string{"carol"}})
		if n := count(); n != 2.0 {
			t.Errorf("%s: %v members after one was removed", title, n)
		}
		owner.does(object{"do": "add", "to": title, "members": []string{"carol"}})
		if n := count(); n != 3.0 {
			t.Errorf("%s: %v members after one was added", title, n)
		}
	}
}

// TestWebContacts looks at contacts, remarks, pins, notes, and at somebody who asks to become a contact.
func TestWebContacts(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	w.run("", "user", "add", "dora", "--no-password", "--data", w.webServer.dir)
	dora := w.token("dora")
	for bot, other := range map[*webBot]string{w.alice: "bob", w.bob: "alice"} {
		e := bot.does(object{"do": "contacts"})
		for _, name := range []string{other, "carol", "文件传输助手"} {
			if !slices.Contains(strings.Split(e.Text, ","), name) {
				t.Errorf("%s knows %s", bot.name, e.Text)
			}
		}
		bot.does(object{"do": "text", "to": other, "text": "hello"})
		bot.does(object{"do": "remark", "to": other, "text": "a friend"})
		bot.does(object{"do": "pin", "to": other})
		bot.does(object{"do": "text", "to": "filehelper", "text": "note of " + bot.name})
		me := w.api(dora, "profiles", object{"names": []string{map[string]string{"alice": "bob", "bob": "alice"}[other]}})
		user := me["profiles"].([]any)[0].(object)["user"]
		w.api(dora, "ask-contact", object{"user": user, "note": "it is me"})
		bot.hears("asks")
	}
	accepted := 0
	for _, k := range w.api(dora, "contacts", object{})["contacts"].([]any) {
		if k.(object)["state"] == "ACCEPTED" {
			accepted++
		}
	}
	if accepted != 2 {
		t.Errorf("dora has %d contacts", accepted)
	}
	for _, name := range []string{"alice", "bob"} {
		token := w.tokens[name]
		list := w.api(token, "conversations", object{})["conversations"].([]any)
		pinned, notes := 0, 0
		for _, c := range list {
			c := c.(object)
			if c["pinned"] == true && c["title"] == "a friend" {
				pinned++
			}
			if m, ok := c["lastMessage"].(object); ok && strings.HasPrefix(fmt.Sprint(m["content"].(object)["text"]), "note of ") {
				notes++
			}
		}
		if pinned != 1 || notes != 1 {
			t.Errorf("%s: %d pinned, %d notes: %v", name, pinned, notes, list)
		}
	}
}

// TestWebAgain starts bots anew with the session that they have kept, over a restart of the server too, and then logs out.
func TestWebAgain(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	direct := func(name string) string {
		var ids []int
		for _, token := range []string{w.tokens[name], w.carol} {
			var id int
			fmt.Sscan(w.api(token, "auth", object{"token": token})["user"].(string), &id)
			ids = append(ids, id)
		}
		slices.Sort(ids)
		return fmt.Sprintf("d:%d:%d", ids[0], ids[1])
	}
	for _, name := range []string{"alice", "bob"} {
		w.carolSends(direct(name), "before")
	}
	w.alice.hears("text")
	w.bob.hears("text")
	w.alice.kill()
	w.bob.kill()
	w.stop()
	w.start()
	for _, name := range []string{"alice", "bob"} {
		w.carolSends(direct(name), "while "+name+" was away")
	}
	// Without the token: the session is enough.
	tokens := w.tokens
	w.tokens = map[string]string{}
	w.alice, w.bob = w.openwechat("alice"), w.wechat4u("bob")
	w.alice.told("login")
	w.bob.told("login")
	// wechat4u begins with the key of the present; openwechat with the one that it has kept.
	if e := w.alice.hears("text"); e.Text != "while alice was away" {
		t.Errorf("%+v", e)
	}
	for _, name := range []string{"alice", "bob"} {
		w.tokens[name] = tokens[name]
		w.carolSends(direct(name), "now")
		delete(w.tokens, name)
	}
	for _, bot := range []*webBot{w.alice, w.bob} {
		if e := bot.hears("text"); e.Text != "now" {
			t.Errorf("%+v", e)
		}
	}
	// Once more, by the cookies alone.
	w.alice.kill()
	w.alice = w.openwechat("alice", "push")
	w.alice.told("login")

	for _, bot := range []*webBot{w.alice, w.bob} {
		bot.does(object{"do": "logout"})
		bot.told("logout")
	}
	for _, name := range []string{"alice", "bob"} {
		limit := time.Now().Add(hang)
		for len(w.api(tokens[name], "devices", object{})["devices"].([]any)) != 1 { // wechat4u does not wait for the answer
			if time.Now().After(limit) {
				t.Fatalf("after the logout %s has its device still", name)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	// What was kept is worth nothing now: openwechat shows a code again, wechat4u says that it was logged out.
	again := w.openwechat("alice")
	uuid := again.told("uuid").ID
	w.wechat4u("bob").told("logout")

	// And somebody scans the code.
	a, err := http.Get("http://" + w.addr + "/qrcode/" + uuid)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if _, err := jpeg.Decode(a.Body); err != nil || a.StatusCode != http.StatusOK {
		t.Errorf("the code: %s %v", a.Status, err)
	}
	w.api(tokens["alice"], "read-login", object{"code": uuid})
	w.api(tokens["alice"], "answer-login", object{"code": uuid, "accept": true})
	if e := again.told("login"); e.Name != "alice" {
		t.Errorf("%+v", e)
	}
}

// Command openwechat is a bot as people write them with the library of this name, for the tests of package interop: it
// does what it reads on standard input, a JSON object in each line, and writes what happens to standard output in the same
// way. Nothing of the library is changed and no host is named: HTTPS_PROXY and SSL_CERT_FILE lead it to the server.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/eatmoreapple/openwechat"
)

// order is what is to be done.
type order struct {
	Do, To, Text, File, Topic string
	Members                   []string
}

// event is what has happened.
type event struct {
	Event  string `json:"event"`
	Name   string `json:"name,omitempty"`
	ID     string `json:"id,omitempty"`
	Kind   string `json:"kind,omitempty"`
	From   string `json:"from,omitempty"`
	Sender string `json:"sender,omitempty"` // in a group
	Text   string `json:"text,omitempty"`
	Error  string `json:"error,omitempty"`
}

var out sync.Mutex

func tell(e event) {
	out.Lock()
	defer out.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(e)
}

func main() {
	bot := openwechat.DefaultBot(openwechat.Desktop)
	bot.UUIDCallback = func(uuid string) { tell(event{Event: "uuid", ID: uuid}) }
	bot.MessageHandler = func(m *openwechat.Message) { tell(received(m)) }
	bot.LogoutCallBack = func(*openwechat.Bot) { tell(event{Event: "logout"}) }
	storage := openwechat.NewFileHotReloadStorage(os.Args[1])
	login := bot.HotLogin
	if len(os.Args) > 2 && os.Args[2] == "push" {
		login = bot.PushLogin
	}
	if err := login(storage, openwechat.NewRetryLoginOption()); err != nil {
		tell(event{Event: "failed", Error: err.Error()})
		os.Exit(1)
	}
	self, err := bot.GetCurrentUser()
	if err != nil {
		tell(event{Event: "failed", Error: err.Error()})
		os.Exit(1)
	}
	tell(event{Event: "login", Name: self.NickName})
	b := &worker{self: self}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			panic(err)
		}
		e := event{Event: "done"}
		var err error
		if e.ID, e.Text, err = b.do(o); err != nil {
			e.Error = err.Error()
		}
		tell(e)
	}
}

// received describes a message.
func received(m *openwechat.Message) event {
	e := event{Event: "message", ID: m.MsgId, Text: m.Content}
	if u, err := m.Sender(); err == nil {
		e.From = u.NickName
	}
	if m.IsSendByGroup() {
		if u, err := m.SenderInGroup(); err == nil {
			e.Sender = u.NickName
		}
	}
	switch {
	case m.IsRecalled():
		e.Kind = "recall"
		r, err := m.RevokeMsg()
		if err != nil {
			e.Error = err.Error()
			break
		}
		e.Text = fmt.Sprint(r.RevokeMsg.MsgId)
	case m.IsSystem():
		e.Kind = "system"
	case m.IsPicture():
		e.Kind, e.Text = "picture", ""
		var b bytes.Buffer
		if err := m.SaveFile(&b); err != nil {
			e.Error = err.Error()
		}
		e.Text = sum(b.Bytes())
	case m.IsMedia():
		e.Kind = "file"
		var b bytes.Buffer
		if err := m.SaveFile(&b); err != nil {
			e.Error = err.Error()
		}
		e.Text = m.FileName + " " + sum(b.Bytes())
	case m.IsText():
		e.Kind = "text"
	case m.IsFriendAdd():
		e.Kind = "asks"
		if _, err := m.Agree("hello"); err != nil {
			e.Error = err.Error()
		}
	default:
		e.Kind = fmt.Sprint(m.MsgType)
	}
	return e
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

type worker struct {
	self *openwechat.Self
	last *openwechat.SentMessage
}

// do carries an order out and returns what is to be told.
func (w *worker) do(o order) (id, text string, err error) {
	switch o.Do {
	case "text":
		return w.send(o.To, func(f *openwechat.Friend) (*openwechat.SentMessage, error) { return f.SendText(o.Text) },
			func(g *openwechat.Group) (*openwechat.SentMessage, error) { return g.SendText(o.Text) })
	case "image", "file":
		b, err := os.Open(o.File)
		if err != nil {
			return "", "", err
		}
		defer b.Close()
		if o.Do == "file" {
			return w.send(o.To, func(f *openwechat.Friend) (*openwechat.SentMessage, error) { return f.SendFile(b) },
				func(g *openwechat.Group) (*openwechat.SentMessage, error) { return g.SendFile(b) })
		}
		return w.send(o.To, func(f *openwechat.Friend) (*openwechat.SentMessage, error) { return f.SendImage(b) },
			func(g *openwechat.Group) (*openwechat.SentMessage, error) { return g.SendImage(b) })
	case "forward":
		f, err := w.friend(o.To)
		if err != nil {
			return "", "", err
		}
		return "", "", w.last.ForwardToFriendsWithDelay(time.Millisecond, f)
	case "revoke":
		return "", "", w.last.Revoke()
	case "contacts":
		list, err := w.self.Members(true)
		if err != nil {
			return "", "", err
		}
		var names []string
		for _, m := range list {
			names = append(names, m.NickName)
		}
		return "", strings.Join(names, ","), nil
	case "group":
		var friends []*openwechat.Friend
		for _, name := range o.Members {
			f, err := w.friend(name)
			if err != nil {
				return "", "", err
			}
			friends = append(friends, f)
		}
		g, err := w.self.CreateGroup(o.Topic, friends...)
		if err != nil {
			return "", "", err
		}
		return g.UserName, fmt.Sprint(g.MemberList.Count()), nil
	case "add":
		g, err := w.group(o.To)
		if err != nil {
			return "", "", err
		}
		f, err := w.friend(o.Members[0])
		if err != nil {
			return "", "", err
		}
		return "", "", g.AddFriendsIn(f)
	case "remove":
		g, err := w.group(o.To)
		if err != nil {
			return "", "", err
		}
		members, err := g.Members()
		if err != nil {
			return "", "", err
		}
		return "", "", g.RemoveMembers(members.SearchByNickName(1, o.Members[0]))
	case "rename":
		g, err := w.group(o.To)
		if err != nil {
			return "", "", err
		}
		return "", "", g.Rename(o.Topic)
	case "remark":
		f, err := w.friend(o.To)
		if err != nil {
			return "", "", err
		}
		return "", "", f.SetRemarkName(o.Text)
	case "pin":
		f, err := w.friend(o.To)
		if err != nil {
			return "", "", err
		}
		return "", "", f.Pin()
	case "avatar":
		f, err := w.friend(o.To)
		if err != nil {
			return "", "", err
		}
		var b bytes.Buffer
		if err := f.SaveAvatarWithWriter(&b); err != nil {
			return "", "", err
		}
		return "", fmt.Sprint(b.Len() > 100), nil
	case "logout":
		return "", "", w.self.Bot().Logout()
	}
	return "", "", fmt.Errorf("what is %q?", o.Do)
}

func (w *worker) friend(name string) (*openwechat.Friend, error) {
	if name == openwechat.FileHelper {
		return w.self.FileHelper(), nil
	}
	list, err := w.self.Friends(true)
	if err != nil {
		return nil, err
	}
	if f := list.GetByNickName(name); f != nil {
		return f, nil
	}
	return nil, fmt.Errorf("nobody is called %q among %d", name, list.Count())
}

func (w *worker) group(name string) (*openwechat.Group, error) {
	list, err := w.self.Groups(true)
	if err != nil {
		return nil, err
	}
	if g := list.GetByNickName(name); g != nil {
		return g, nil
	}
	return nil, fmt.Errorf("no group is called %q among %d", name, list.Count())
}

// send sends to a friend or a group.
func (w *worker) send(to string, friend func(*openwechat.Friend) (*openwechat.SentMessage, error),
	group func(*openwechat.Group) (*openwechat.SentMessage, error)) (id, text string, err error) {
	if g, err := w.group(to); err == nil {
		w.last, err = group(g)
		return w.lastID(), "", err
	}
	f, err := w.friend(to)
	if err != nil {
		return "", "", err
	}
	w.last, err = friend(f)
	return w.lastID(), "", err
}

func (w *worker) lastID() string {
	if w.last == nil {
		return ""
	}
	return w.last.MsgId
}

package webwx

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
)

const testRef = "m_AAAAAAAAAAAAAAAAAAAAAA"

// TestContents sends every kind of content to a client: it has a kind that clients know, XML is XML, and what refers to a
// file can be sent back to forward it.
func TestContents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	a := alice.login()
	media := &hongyan.Media{Ref: testRef, Name: `a "b" <c>.pdf`, Size: 5, Width: 3, Height: 4, DurationMS: 2500}
	for _, c := range []struct {
		content     hongyan.Content
		kind        int
		has         string
		file, isXML bool
	}{
		{hongyan.Text("a <b> & c"), typeText, "a &lt;b&gt; &amp; c", false, false},
		{hongyan.Content{Kind: hongyan.KindImage, Media: media}, typePicture, "img length=\"5\"", true, true},
		{hongyan.Content{Kind: hongyan.KindVoice, Media: media}, typeVoice, "voicelength=\"2500\"", false, true},
		{hongyan.Content{Kind: hongyan.KindVideo, Media: media}, typeVideo, "playlength=\"2\"", true, true},
		{hongyan.Content{Kind: hongyan.KindFile, Media: media}, typeApp, "<totallen>5</totallen>", true, true},
		{hongyan.Content{Kind: hongyan.KindLocation, Location: &hongyan.Location{Latitude: 31.2, Longitude: 121.5, Name: "Bund"}}, typeText, "Bund:", false, false},
		{hongyan.Content{Kind: hongyan.KindCustom, Custom: &hongyan.Custom{Type: "poll"}, Text: "a poll"}, typeText, "a poll", false, false},
		{hongyan.Content{Kind: hongyan.KindCustom, Custom: &hongyan.Custom{Type: "poll"}}, typeText, "[poll]", false, false},
	} {
		bob.send(hongyan.Direct(alice.user, bob.user), c.content)
		list := a.sync().AddMsgList
		if len(list) != 1 {
			t.Fatalf("kind %d: %+v", c.content.Kind, list)
		}
		m := list[0]
		plain := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&", "<br/>", "\n").Replace(m.Content)
		if m.MsgType != c.kind || !strings.Contains(plain, c.has) && !strings.Contains(m.Content, c.has) {
			t.Errorf("kind %d: type %d, %s", c.content.Kind, m.MsgType, m.Content)
		}
		if c.isXML {
			if err := xml.Unmarshal([]byte(plain), new(struct{ XMLName xml.Name })); err != nil {
				t.Errorf("kind %d: %v: %s", c.content.Kind, err, plain)
			}
		}
		if found := mediaReference.FindStringSubmatch(plain); c.file != (found != nil) || c.file && found[1] != testRef {
			t.Errorf("kind %d leads to %q", c.content.Kind, found)
		}
	}
	bob.send(hongyan.Direct(alice.user, bob.user), hongyan.Content{Kind: hongyan.KindImage, Media: media, Text: "look\nhere"})
	if list := a.sync().AddMsgList; len(list) != 2 || list[0].MsgType != typePicture || list[1].Content != "look<br/>here" ||
		list[0].MsgId == list[1].MsgId || parseMessageID(list[1].MsgId).ordinal() != parseMessageID(list[0].MsgId).ordinal() {
		t.Errorf("a picture with a caption: %+v", list)
	}
}

// TestNotices has the sentences by which clients recognise what happens in a group.
func TestNotices(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		event     hongyan.NoticeEvent
		own, mine bool
		others    string
		want      string
	}{
		{hongyan.NoticeCreated, true, false, "乙、丙", `你邀请"乙、丙"加入了群聊  `},
		{hongyan.NoticeCreated, false, true, "丙", `"甲"邀请你加入了群聊，群聊参与人还有：丙`},
		{hongyan.NoticeJoined, false, true, "", `"甲"邀请你加入了群聊`},
		{hongyan.NoticeJoined, false, false, "乙", `"甲"邀请"乙"加入了群聊`},
		{hongyan.NoticeJoined, false, false, "甲", `"甲"加入了群聊`},
		{hongyan.NoticeJoined, true, true, "", "你加入了群聊"},
		{hongyan.NoticeRemoved, true, false, "乙", `你将"乙"移出了群聊`},
		{hongyan.NoticeRemoved, false, true, "", `你被"甲"移出群聊`},
		{hongyan.NoticeRemoved, false, false, "乙", `"甲"将"乙"移出了群聊`},
		{hongyan.NoticeLeft, false, false, "", `"甲"退出了群聊`},
		{hongyan.NoticeTitle, true, false, "", "你修改群名为“雁”"},
		{hongyan.NoticeTitle, false, false, "", `"甲"修改群名为“雁”`},
		{hongyan.NoticeDissolved, false, false, "", `"甲"解散了群聊`},
		{hongyan.NoticeAdmin, false, true, "", ""},
	} {
		got := noticeText(&hongyan.Notice{Event: c.event, Text: "雁"}, "甲", c.own, c.mine, c.others)
		if got != c.want {
			t.Errorf("event %d: %s, want %s", c.event, got, c.want)
		}
	}
}

package terminal

import (
	"fmt"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
)

// words is everything that the chat says in one language.
type words struct {
	connected, connecting, offline string
	retryIn                        func(time.Duration) string

	you, notes, draft, and         string // and stands between the names of a list
	today, yesterday               string
	date                           func(t time.Time, withYear bool) string // of a day between messages
	shortDate                      func(t time.Time, withYear bool) string // in the list
	members                        func(n int) string
	newBelow                       func(n int) string // messages that came while scrolled up
	newMessages, beginning, older  string
	tookBack                       func(who string) string
	expired                        string
	kinds                          map[hongyan.Kind]string
	forwarded                      func(who string) string
	notice                         func(n *hongyan.Notice, who, whom string) string
	account                        func(u hongyan.UserID) string // that has no name yet
	asksContact                    func(name string) string
	notSent                        func(why string) string
	offerReport                    string
	resendAsNew                    string
	tooLong                        string
	empty, noChats, choose         string // instead of messages, of conversations, of an open one
	newChat, accountName           string
	prompt                         string // in an empty composer
	tooSmall                       string
	help                           string
	helpHint, listHint, resendHint string
	keys                           [][2]string
}

// wordsFor chooses the language of a locale such as zh_CN.UTF-8.
func wordsFor(locale string) *words {
	if strings.HasPrefix(strings.ToLower(locale), "zh") {
		return &chinese
	}
	return &english
}

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// plural writes a number and a noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

var english = words{
	connected: "connected", connecting: "connecting…", offline: "offline",
	retryIn: func(d time.Duration) string { return "next attempt in " + plural(seconds(d), "second") },

	you: "you", notes: "Notes to oneself", draft: "[draft]", and: ", ",
	today: "Today", yesterday: "Yesterday",
	date: func(t time.Time, withYear bool) string {
		if withYear {
			return t.Format("Monday 2 January 2006")
		}
		return t.Format("Monday 2 January")
	},
	shortDate: func(t time.Time, withYear bool) string {
		if withYear {
			return t.Format("Jan 2006")
		}
		return t.Format("2 Jan")
	},
	members:     func(n int) string { return plural(n, "member") },
	newBelow:    func(n int) string { return plural(n, "new message") + " below" },
	newMessages: "new", beginning: "the beginning", older: "older messages…",
	tookBack: func(who string) string { return who + " took a message back" },
	expired:  "no longer kept",
	kinds: map[hongyan.Kind]string{
		hongyan.KindImage: "image", hongyan.KindVoice: "voice", hongyan.KindVideo: "video", hongyan.KindFile: "file",
		hongyan.KindLocation: "place", hongyan.KindCustom: "custom",
	},
	forwarded:   func(who string) string { return "passed on from " + who },
	notice:      englishNotice,
	account:     func(u hongyan.UserID) string { return fmt.Sprintf("account %d", u) },
	asksContact: func(name string) string { return name + " asks: hongyan contact accept " + name },
	offerReport: "this network fails again and again: hongyan report send tells the server's operator",
	notSent:     func(why string) string { return "not sent: " + why },
	resendAsNew: "It may have arrived after all. ctrl+r again sends it as a new message.",
	tooLong:     "The text is as long as a message may be.",
	empty:       "Nothing was said yet.",
	noChats:     "No conversations yet. ctrl+n begins one.",
	choose:      "↑ ↓ and enter open a conversation.",
	newChat:     "New conversation", accountName: "With whom? Account name:",
	prompt:   "Write a message",
	tooSmall: "The window is too small.",
	help:     "Keys",
	helpHint: "F1 help", listHint: "Tab list", resendHint: "ctrl+r sends it again",
	keys: [][2]string{
		{"enter", "send"}, {"alt+enter", "new line (or ctrl+j)"}, {"↑ ↓ PgUp PgDn", "scroll"}, {"esc", "newest, then the list"},
		{"tab", "list ⇄ message"}, {"alt+↑ alt+↓", "other conversation"}, {"ctrl+n", "new conversation"},
		{"ctrl+r", "send failed one again"}, {"ctrl+x", "discard failed one"}, {"ctrl+w", "erase word"},
		{"ctrl+u ctrl+k", "erase line ← →"}, {"F1, in list ?", "this help"}, {"ctrl+c", "quit (or q in list)"},
	},
}

func englishNotice(n *hongyan.Notice, who, whom string) string {
	switch n.Event {
	case hongyan.NoticeCreated:
		return who + " made the group"
	case hongyan.NoticeJoined:
		if whom == who || whom == "" {
			return who + " joined"
		}
		return who + " brought in " + whom
	case hongyan.NoticeLeft:
		return who + " left"
	case hongyan.NoticeRemoved:
		return who + " removed " + whom
	case hongyan.NoticeTitle:
		return who + " changed the title to “" + OneLine(n.Text) + "”"
	case hongyan.NoticeAnnouncement:
		return who + " announced: " + OneLine(n.Text)
	case hongyan.NoticeOwner:
		return who + " handed the group over to " + whom
	case hongyan.NoticeAdmin:
		return who + " made " + whom + " admin"
	case hongyan.NoticeNoAdmin:
		return who + " took admin from " + whom
	case hongyan.NoticeMuted:
		if whom == "" {
			return who + " muted everybody"
		}
		return who + " muted " + whom
	case hongyan.NoticeUnmuted:
		if whom == "" {
			return who + " let everybody speak again"
		}
		return who + " let " + whom + " speak again"
	case hongyan.NoticeDissolved:
		return who + " dissolved the group"
	}
	return who + " changed the group"
}

var chinese = words{
	connected: "已连接", connecting: "连接中…", offline: "离线",
	retryIn: func(d time.Duration) string { return fmt.Sprintf("%d 秒后重连", seconds(d)) },

	you: "我", notes: "我的笔记", draft: "[草稿]", and: "、",
	today: "今天", yesterday: "昨天",
	date: func(t time.Time, withYear bool) string {
		weekday := [...]string{"日", "一", "二", "三", "四", "五", "六"}[t.Weekday()]
		day := fmt.Sprintf("%d月%d日 星期%s", t.Month(), t.Day(), weekday)
		if withYear {
			return fmt.Sprintf("%d年%s", t.Year(), day)
		}
		return day
	},
	shortDate: func(t time.Time, withYear bool) string {
		if withYear {
			return fmt.Sprintf("%d年%d月", t.Year(), t.Month())
		}
		return fmt.Sprintf("%d月%d日", t.Month(), t.Day())
	},
	members:     func(n int) string { return fmt.Sprintf("%d 人", n) },
	newBelow:    func(n int) string { return fmt.Sprintf("下方有 %d 条新消息", n) },
	newMessages: "以下为新消息", beginning: "没有更早的消息", older: "加载更早的消息…",
	tookBack: func(who string) string { return who + "撤回了一条消息" },
	expired:  "消息已过期",
	kinds: map[hongyan.Kind]string{
		hongyan.KindImage: "图片", hongyan.KindVoice: "语音", hongyan.KindVideo: "视频", hongyan.KindFile: "文件",
		hongyan.KindLocation: "位置", hongyan.KindCustom: "自定义",
	},
	forwarded:   func(who string) string { return "转发自 " + who },
	notice:      chineseNotice,
	account:     func(u hongyan.UserID) string { return fmt.Sprintf("账号 %d", u) },
	asksContact: func(name string) string { return name + " 请求加为联系人：hongyan contact accept " + name },
	offerReport: "网络屡次连接失败：可用 hongyan report send 告知管理员",
	notSent:     func(why string) string { return "未发送：" + why },
	resendAsNew: "对方可能已经收到。再按一次 ctrl+r 将作为新消息发送。",
	tooLong:     "已达到单条消息的长度上限。",
	empty:       "还没有消息。",
	noChats:     "还没有会话，按 ctrl+n 新建。",
	choose:      "按 ↑ ↓ 和 enter 打开会话。",
	newChat:     "新会话", accountName: "和谁聊？账号名：",
	prompt:   "输入消息",
	tooSmall: "窗口太小。",
	help:     "按键",
	helpHint: "F1 帮助", listHint: "Tab 列表", resendHint: "ctrl+r 重发",
	keys: [][2]string{
		{"enter", "发送"}, {"alt+enter", "换行（或 ctrl+j）"}, {"↑ ↓ PgUp PgDn", "滚动"}, {"esc", "回到最新，再到列表"},
		{"tab", "列表 ⇄ 输入"}, {"alt+↑ alt+↓", "切换会话"}, {"ctrl+n", "新会话"},
		{"ctrl+r", "重发失败的消息"}, {"ctrl+x", "丢弃失败的消息"}, {"ctrl+w", "删除一词"},
		{"ctrl+u ctrl+k", "删除本行 ← →"}, {"F1，列表中 ?", "本帮助"}, {"ctrl+c", "退出（列表中 q）"},
	},
}

func chineseNotice(n *hongyan.Notice, who, whom string) string {
	switch n.Event {
	case hongyan.NoticeCreated:
		return who + "创建了群聊"
	case hongyan.NoticeJoined:
		if whom == who || whom == "" {
			return who + "加入了群聊"
		}
		return who + "邀请" + whom + "加入了群聊"
	case hongyan.NoticeLeft:
		return who + "退出了群聊"
	case hongyan.NoticeRemoved:
		return who + "将" + whom + "移出了群聊"
	case hongyan.NoticeTitle:
		return who + "将群名改为“" + OneLine(n.Text) + "”"
	case hongyan.NoticeAnnouncement:
		return who + "发布群公告：" + OneLine(n.Text)
	case hongyan.NoticeOwner:
		return who + "将群主转让给" + whom
	case hongyan.NoticeAdmin:
		return who + "将" + whom + "设为管理员"
	case hongyan.NoticeNoAdmin:
		return who + "取消了" + whom + "的管理员身份"
	case hongyan.NoticeMuted:
		if whom == "" {
			return who + "开启了全员禁言"
		}
		return who + "禁言了" + whom
	case hongyan.NoticeUnmuted:
		if whom == "" {
			return who + "解除了全员禁言"
		}
		return who + "解除了" + whom + "的禁言"
	case hongyan.NoticeDissolved:
		return who + "解散了群聊"
	}
	return who + "更改了群聊"
}

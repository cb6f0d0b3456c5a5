package webwx

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"

	"github.com/hongyan-im/hongyan"
)

// text is a member that some clients write as a string and others as a number.
type text string

// UnmarshalJSON takes a string, a number as it is written, true, false and null.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	switch {
	case bytes.Equal(b, []byte("null")):
	case b[0] == '"':
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
	case b[0] == '{' || b[0] == '[':
		return hongyan.Errorf(hongyan.Invalid, "a list or an object stands where a text should")
	default:
		s = string(b)
	}
	*t = text(s)
	return nil
}

// number is a member that some clients write as a number and others as a string of one.
type number int64

// UnmarshalJSON takes a number and a string of one. What has a fraction loses it.
func (n *number) UnmarshalJSON(b []byte) error {
	var t text
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	v, err := strconv.ParseInt(string(t), 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(string(t), 64)
		if t == "" {
			f = 0
		} else if err != nil || !(math.Abs(f) < 1<<62) {
			return hongyan.Errorf(hongyan.Invalid, "%.40q stands where a number should", string(t))
		}
		v = int64(f)
	}
	*n = number(v)
	return nil
}

// baseRequest says in a body who sends it.
type baseRequest struct {
	Sid text
}

// draft is a message to be sent.
type draft struct {
	Type        number
	Content     string
	ToUserName  string
	LocalID     text
	ClientMsgId text
	MediaId     string
	EMoticonMd5 string
}

// listed is an entry of one of the lists of names.
type listed struct {
	UserName string
}

// body is what the bodies of all requests may hold. Each handler reads its own part.
type body struct {
	BaseRequest baseRequest
	SyncKey     syncKey
	Msg         draft

	Code         number // webwxstatusnotify
	FromUserName string
	ToUserName   string

	SvrMsgId text // webwxrevokemsg

	List []listed // webwxbatchgetcontact

	Topic        string // webwxcreatechatroom
	MemberList   []listed
	ChatRoomName string // webwxupdatechatroom
	NewTopic     *string

	AddMemberList, InviteMemberList, DelMemberList string // names, separated by commas

	CmdId      number // webwxoplog
	UserName   string
	RemarkName string
	OP         number

	Opcode         number // webwxverifyuser
	VerifyContent  string
	VerifyUserList []struct{ Value string }

	FileMd5, FileName string // webwxcheckupload, and the request of webwxuploadmedia
	FileSize          number
	ClientMediaId     text
	TotalLen          number
}

// parseBody reads a body, which may be empty. Its declared type does not matter: itchat and wxBot send none.
func parseBody(b []byte) (body, error) {
	var parsed body
	if len(bytes.TrimSpace(b)) == 0 {
		return parsed, nil
	}
	if err := json.Unmarshal(b, &parsed); err != nil {
		return body{}, hongyan.Errorf(hongyan.Invalid, "the body cannot be read: %v", err)
	}
	return parsed, nil
}

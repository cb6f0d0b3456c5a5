package chat

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// The sizes are no less than those of the bodies, whatever is in the things, and for long things little more.
func TestSizesAreThoseOfBodies(t *testing.T) {
	t.Parallel()
	const seed = 1
	r := rand.New(rand.NewPCG(seed, 0))
	for range 3_000 {
		c := randomChange(r)
		got, want := sizeOfChange(&c), proto.Size(wire.FromChange(c))
		want += 1 + 3 // the tag and the length of the change in its page
		if got < want || got > 4*want+512 {
			t.Fatalf("seed %d: the size is %d, that of the body %d: %+v", seed, got, want, c)
		}
		m := randomMessage(r)
		if got, want := sizeOfMessage(m), proto.Size(wire.FromMessage(*m))+4; got < want {
			t.Fatalf("seed %d: the size is %d, that of the body %d: %+v", seed, got, want, m)
		}
	}
}

func randomText(r *rand.Rand, limit int) string {
	return strings.Repeat("x", []int{0, 1, r.IntN(limit + 1), limit}[r.IntN(4)])
}

func randomNumber(r *rand.Rand) uint64 {
	return []uint64{0, 1, r.Uint64() >> r.IntN(64), math.MaxUint64}[r.IntN(4)]
}

func randomIDs[ID ~uint64](r *rand.Rand, limit int) []ID {
	list := make([]ID, r.IntN(limit+1))
	for i := range list {
		list[i] = ID(randomNumber(r))
	}
	return list
}

func randomConversationID(r *rand.Rand) hongyan.ConversationID {
	if r.IntN(2) == 0 {
		return hongyan.GroupConversation(hongyan.GroupID(randomNumber(r)))
	}
	return hongyan.Direct(hongyan.UserID(randomNumber(r)|1), hongyan.UserID(randomNumber(r)|1))
}

func randomProfile(r *rand.Rand) hongyan.Profile {
	return hongyan.Profile{
		User: hongyan.UserID(randomNumber(r)), Name: randomText(r, 32), DisplayName: randomText(r, 256),
		Avatar: randomText(r, hongyan.MaxLabel), Bio: randomText(r, 4*MaxBio),
	}
}

func randomMessage(r *rand.Rand) *hongyan.Message {
	label := func() string { return randomText(r, hongyan.MaxLabel) }
	m := &hongyan.Message{
		ID: hongyan.MessageID(randomNumber(r)), Conversation: randomConversationID(r),
		Ordinal: hongyan.Ordinal(randomNumber(r)), From: hongyan.UserID(randomNumber(r)), FromName: randomText(r, 32),
		ClientID: hongyan.ClientID{1}, TimeMS: int64(randomNumber(r)),
	}
	c := &m.Content
	c.Kind, c.Text = hongyan.Kind(1+r.IntN(8)), randomText(r, hongyan.MaxText)
	c.Mentions, c.MentionAll = randomIDs[hongyan.UserID](r, hongyan.MaxMentions), r.IntN(2) == 0
	switch c.Kind {
	case hongyan.KindText:
	case hongyan.KindLocation:
		c.Location = &hongyan.Location{Latitude: 1.5, Longitude: -1.5, Name: label(), Address: label()}
	case hongyan.KindCustom:
		c.Custom = &hongyan.Custom{Type: label(), Data: []byte(randomText(r, hongyan.MaxCustom))}
	case hongyan.KindNotice:
		c.Notice = &hongyan.Notice{Event: 12, Users: randomIDs[hongyan.UserID](r, MaxInvited), Text: randomText(r, 4*MaxAnnouncement)}
	default:
		c.Media = &hongyan.Media{
			Ref: label(), Name: label(), MIME: label(), Size: randomNumber(r), Width: uint32(randomNumber(r)),
			Height: uint32(randomNumber(r)), DurationMS: uint32(randomNumber(r)), SHA256: make([]byte, 32),
			Thumbnail: []byte(randomText(r, hongyan.MaxThumbnail)),
		}
	}
	if r.IntN(2) == 0 {
		c.Quote = &hongyan.Quote{Ordinal: hongyan.Ordinal(randomNumber(r)), From: hongyan.UserID(randomNumber(r)), Excerpt: label()}
	}
	if r.IntN(2) == 0 {
		c.Forward = &hongyan.Forward{From: hongyan.UserID(randomNumber(r)), FromName: label(), TimeMS: int64(randomNumber(r))}
	}
	return m
}

func randomConversation(r *rand.Rand) *hongyan.Conversation {
	o := func() hongyan.Ordinal { return hongyan.Ordinal(randomNumber(r)) }
	c := &hongyan.Conversation{
		ID: randomConversationID(r), Title: randomText(r, 4*MaxTitle), Last: o(), Read: o(), Joined: o(), Left: o(),
		Cleared: o(), Delivered: o(), PeerRead: o(), Unread: r.IntN(1001), Pinned: true, Muted: true, Hidden: true,
	}
	if r.IntN(2) == 0 {
		p := randomProfile(r)
		c.Peer = &p
	}
	if r.IntN(2) == 0 {
		c.LastMessage = randomMessage(r)
	}
	return c
}

func randomChange(r *rand.Rand) hongyan.Change {
	c := hongyan.Change{Version: hongyan.Version(randomNumber(r))}
	id, user, o := randomConversationID(r), hongyan.UserID(randomNumber(r)), hongyan.Ordinal(randomNumber(r))
	switch r.IntN(10) {
	case 0:
		c.Message = randomMessage(r)
	case 1:
		c.Recall = &hongyan.Recall{Conversation: id, Ordinal: o, ID: hongyan.MessageID(randomNumber(r)), By: user}
	case 2:
		c.Removal = &hongyan.Removal{Conversation: id, Ordinals: randomIDs[hongyan.Ordinal](r, MaxRemovals)}
	case 3:
		c.Contact = &hongyan.Contact{
			Profile: randomProfile(r), State: 3, Blocked: true, Remark: randomText(r, 4*MaxRemark),
			Note: randomText(r, 4*MaxNote), UpdatedMS: int64(randomNumber(r)),
		}
	case 4:
		c.Group = &hongyan.Group{
			ID: hongyan.GroupID(randomNumber(r)), Title: randomText(r, 4*MaxTitle), Announcement: randomText(r, 4*MaxAnnouncement),
			Avatar: randomText(r, hongyan.MaxLabel), Owner: user, MemberCount: 500, Policy: 3, Link: randomText(r, 14),
			MutedAll: true, Dissolved: true, CreatedMS: int64(randomNumber(r)), Role: 3,
		}
	case 5:
		c.Conversation = randomConversation(r)
	case 6:
		c.Receipt = &hongyan.Receipt{Conversation: id, Reader: user, Delivered: o, Read: o}
	case 7:
		p := randomProfile(r)
		c.Profile = &p
	case 8:
		c.Devices = &hongyan.Devices{}
		for range r.IntN(32) {
			c.Devices.List = append(c.Devices.List, hongyan.Device{
				ID: hongyan.DeviceID(randomNumber(r)), Name: randomText(r, 256), Class: 6, CreatedMS: int64(randomNumber(r)),
				LastSeenMS: int64(randomNumber(r)),
			})
		}
	default:
		c.Setting = &hongyan.Setting{Name: randomText(r, hongyan.MaxSettingName), Value: []byte(randomText(r, hongyan.MaxSetting))}
	}
	return c
}

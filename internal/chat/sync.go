package chat

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// SyncQuery asks for what is newer than Key.
type SyncQuery struct {
	Key   hongyan.SyncKey
	Types []hongyan.Type // none: all
	Limit uint32
}

// Page is what a sync brings. Conversations are the present states of those that the changes mention, or after a reset
// the most recent ones.
type Page struct {
	Changes       []hongyan.Change
	Conversations []hongyan.Conversation
	Key           hongyan.SyncKey
	More          bool
	Reset         inbox.ResetReason
	Backfill      []byte // continues a reset, or a backfill; empty at the end
}

// Sync answers what is newer than a key, and takes the key as the acknowledgement of everything that it stands for.
func (s *Service) Sync(c Caller, q SyncQuery, done func(Page, error)) {
	s.Acknowledge(c, q.Key)
	slices.Sort(q.Types)
	q.Types = slices.Compact(q.Types) // a type that is named twice is still read once
	inbox.Look(s.shard, c.User, func(r *inbox.Read) (Page, error) { return s.page(r, c.User, q) }, done)
}

func (s *Service) page(r *inbox.Read, u hongyan.UserID, q SyncQuery) (Page, error) {
	pulled, err := r.Pull(u, q.Key, q.Types, pageLimit(q.Limit, DefaultPage, MaxPage))
	if err != nil {
		return Page{}, err
	}
	page := Page{Key: pulled.Key, More: pulled.More, Reset: pulled.Reset}
	if page.Reset != inbox.NoReset {
		return s.reset(r, u, page)
	}
	b := s.build(r, u, &page)
	for i, e := range pulled.Entries {
		if b.full() {
			// The key stands for what is in the page, no more.
			page.More, page.Key = true, q.Key
			b.advance(q.Types, pulled.Entries[i-1].Version)
			break
		}
		if err := b.add(e); err != nil {
			return Page{}, err
		}
	}
	return page, nil
}

// reset answers a key that cannot be continued: a window on the most recent conversations, and a token for the rest.
func (s *Service) reset(r *inbox.Read, u hongyan.UserID, page Page) (Page, error) {
	var err error
	if page.Conversations, err = recent(r, u, WindowSize); err != nil {
		return Page{}, err
	}
	if upTo := page.Key.Version(); upTo > 0 {
		page.Backfill = backfillToken{generation: page.Key.Generation, user: u, upTo: upTo}.encode()
	}
	return page, nil
}

// Backfill continues a reset: every change up to the reset's key, oldest first.
func (s *Service) Backfill(c Caller, token []byte, limit uint32, done func(Page, error)) {
	t, err := parseBackfill(token)
	if err == nil && (t.user != c.User || t.generation != s.shard.Engine().Generation()) {
		err = hongyan.Errorf(hongyan.KeyInvalid, "the backfill token is another account's or of another store").
			WithHint("begin again with no key")
	}
	if err != nil {
		done(Page{}, err)
		return
	}
	inbox.Look(s.shard, c.User, func(r *inbox.Read) (Page, error) {
		entries, more, err := r.Backlog(c.User, t.above, t.upTo, pageLimit(limit, DefaultHistory, MaxHistory))
		if err != nil {
			return Page{}, err
		}
		page := Page{More: more}
		b := s.build(r, c.User, &page)
		for i, e := range entries {
			if b.full() {
				entries, page.More = entries[:i], true
				break
			}
			if err := b.add(e); err != nil {
				return Page{}, err
			}
		}
		if page.More {
			t.above = entries[len(entries)-1].Version
			page.Backfill = t.encode()
		}
		return page, nil
	}, done)
}

// builder turns entries into changes, and adds the states of the conversations that they mention.
type builder struct {
	r    *inbox.Read
	user hongyan.UserID
	page *Page
	size int // of what is in the page, in bytes
	seen map[hongyan.ConversationID]*hongyan.Conversation
	now  func() time.Time
	end  time.Time // of the time that the page may take
}

func (s *Service) build(r *inbox.Read, u hongyan.UserID, page *Page) builder {
	return builder{r: r, user: u, page: page, now: s.config.Now, end: s.config.Now().Add(MaxPageTime)}
}

// full reports whether the page has to do: a client waits only so long for an answer, and one that gets no page because
// the disk is slow would ask for the same again and again.
func (b *builder) full() bool {
	return b.size > MaxPageBytes || len(b.page.Changes) > 0 && b.now().After(b.end)
}

// advance moves the page's key to v for the types that were asked for.
func (b *builder) advance(types []hongyan.Type, v hongyan.Version) {
	if len(types) == 0 {
		types = hongyan.Types[:]
	}
	for _, t := range types {
		b.page.Key.Advance(t, v)
	}
}

// mention adds the state of a conversation to the page, once, and returns it; nil if the account has no part in it.
func (b *builder) mention(c hongyan.ConversationID) (*hongyan.Conversation, error) {
	if state, ok := b.seen[c]; ok {
		return state, nil
	}
	if b.seen == nil {
		b.seen = map[hongyan.ConversationID]*hongyan.Conversation{}
	}
	b.seen[c] = nil
	list, err := conversations(b.r, b.user, []hongyan.ConversationID{c})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	b.seen[c] = &list[0]
	b.page.Conversations = append(b.page.Conversations, list[0])
	b.size += sizeOfConversation(&list[0])
	return &list[0], nil
}

// add appends the change that an entry refers to. What the account has cleared since is passed over: the conversation's
// state says so.
func (b *builder) add(e store.Entry) error {
	change := hongyan.Change{Version: e.Version}
	var err error
	if e.Type == hongyan.TypeMessage {
		err = b.message(e.Ref, &change)
	} else {
		err = b.state(e.Type, e.Ref.Item, &change)
	}
	if err != nil || change == (hongyan.Change{Version: e.Version}) {
		return err
	}
	b.size += sizeOfChange(&change)
	b.page.Changes = append(b.page.Changes, change)
	return nil
}

func (b *builder) message(ref store.Ref, change *hongyan.Change) error {
	c, err := b.mention(ref.Conversation)
	if err != nil {
		return err
	}
	if ref.Kind == store.RefRemoval {
		change.Removal = &hongyan.Removal{Conversation: ref.Conversation, Ordinals: ref.Ordinals}
		return nil
	}
	o := ref.Ordinals[0]
	if c != nil && o <= c.Cleared {
		return nil
	}
	m, err := store.GetMessage(b.r, ref.Conversation, o)
	if err != nil {
		return err
	}
	if m == nil {
		m = &hongyan.Message{Conversation: ref.Conversation, Ordinal: o, State: hongyan.Expired}
	}
	if ref.Kind == store.RefRecall {
		change.Recall = &hongyan.Recall{Conversation: ref.Conversation, Ordinal: o, ID: m.ID, By: ref.By}
		return nil
	}
	change.Message = m
	return nil
}

func (b *builder) state(t hongyan.Type, item []byte, change *hongyan.Change) error {
	var err error
	switch {
	case t == hongyan.TypeContact && len(item) == 8:
		other := hongyan.UserID(binary.BigEndian.Uint64(item))
		var k *store.Contact
		if k, err = store.Contacts.Get(b.r, store.Pair{User: b.user, Other: other}); k != nil {
			var contact hongyan.Contact
			contact, err = contactOf(b.r, other, k)
			change.Contact = &contact
		}
	case t == hongyan.TypeGroup && len(item) == 8:
		id := hongyan.GroupID(binary.BigEndian.Uint64(item))
		var g *store.Group
		if g, err = store.Groups.Get(b.r, id); g != nil {
			group := groupFor(id, g, b.user)
			change.Group = &group
		}
	case t == hongyan.TypeConversation && len(item) == hongyan.ConversationSize:
		var c hongyan.ConversationID
		if err = c.UnmarshalBinary(item); err != nil {
			return err
		}
		change.Conversation, err = b.mention(c)
	case t == hongyan.TypeReceipt && len(item) == hongyan.ConversationSize+8:
		change.Receipt, err = receiptOf(b.r, item)
	case t == hongyan.TypeSetting && len(item) > 0:
		err = b.setting(item, change)
	}
	return err
}

// receiptOf reads the receipt of an item: conversation 16 bytes, reader 8.
func receiptOf(r store.Reader, item []byte) (*hongyan.Receipt, error) {
	receipt := &hongyan.Receipt{Reader: hongyan.UserID(binary.BigEndian.Uint64(item[hongyan.ConversationSize:]))}
	if err := receipt.Conversation.UnmarshalBinary(item[:hongyan.ConversationSize]); err != nil {
		return nil, err
	}
	v, err := store.Views.Get(r, store.Part{User: receipt.Reader, Conversation: receipt.Conversation})
	if err != nil || v == nil {
		return nil, err
	}
	receipt.Delivered, receipt.Read = v.Delivered, v.Read
	return receipt, nil
}

func (b *builder) setting(item []byte, change *hongyan.Change) error {
	name := string(item[1:])
	switch item[0] {
	case store.ItemProfile:
		a, err := store.Accounts.Get(b.r, b.user)
		if a != nil {
			profile := a.Profile(b.user)
			change.Profile = &profile
		}
		return err
	case store.ItemDevices:
		d, err := store.DeviceLists.Get(b.r, b.user)
		if d != nil {
			list := d.Public()
			change.Devices = &list
		}
		return err
	case store.ItemSetting:
		change.Setting = &hongyan.Setting{Name: name} // empty: removed
		v, err := store.Settings.Get(b.r, store.SettingName{User: b.user, Name: name})
		if v != nil {
			change.Setting.Value = *v
		}
		return err
	}
	return nil
}

// backfillToken is where a backfill stands: entries in (above, upTo] are to come.
type backfillToken struct {
	generation  uint64
	user        hongyan.UserID
	above, upTo hongyan.Version
}

// The encoding is format 1 byte, four big-endian numbers of 8, CRC-32C 4.
const backfillFormat, backfillSize = 1, 1 + 4*8 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (t backfillToken) encode() []byte {
	b := []byte{backfillFormat}
	for _, n := range []uint64{t.generation, uint64(t.user), uint64(t.above), uint64(t.upTo)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func parseBackfill(b []byte) (backfillToken, error) {
	var t backfillToken
	if len(b) != backfillSize || b[0] != backfillFormat ||
		!bytes.Equal(b[backfillSize-4:], binary.BigEndian.AppendUint32(nil, crc32.Checksum(b[:backfillSize-4], castagnoli))) {
		return t, hongyan.Errorf(hongyan.KeyInvalid, "the backfill token is damaged").
			WithHint("present it exactly as it was received, or begin again with no key")
	}
	n := func(i int) uint64 { return binary.BigEndian.Uint64(b[1+8*i:]) }
	t.generation, t.user = n(0), hongyan.UserID(n(1))
	t.above, t.upTo = hongyan.Version(n(2)), hongyan.Version(n(3))
	return t, nil
}

package wire

import (
	"github.com/hongyan-im/hongyan"
	pb "github.com/hongyan-im/hongyan/proto/hongyan/v1"
)

// FromChange makes the body of a change.
func FromChange(c hongyan.Change) *Change {
	b := &Change{Version: uint64(c.Version)}
	switch {
	case c.Message != nil:
		b.What = &pb.Change_Message{Message: FromMessage(*c.Message)}
	case c.Recall != nil:
		b.What = &pb.Change_Recall{Recall: &Recall{
			Conversation: c.Recall.Conversation.String(),
			Ordinal:      uint64(c.Recall.Ordinal),
			Id:           uint64(c.Recall.ID),
			By:           uint64(c.Recall.By),
		}}
	case c.Removal != nil:
		b.What = &pb.Change_Removal{Removal: &Removal{
			Conversation: c.Removal.Conversation.String(),
			Ordinals:     FromIDs(c.Removal.Ordinals),
		}}
	case c.Contact != nil:
		b.What = &pb.Change_Contact{Contact: FromContact(*c.Contact)}
	case c.Group != nil:
		b.What = &pb.Change_Group{Group: FromGroup(*c.Group)}
	case c.Conversation != nil:
		b.What = &pb.Change_Conversation{Conversation: FromConversation(*c.Conversation)}
	case c.Receipt != nil:
		b.What = &pb.Change_Receipt{Receipt: FromReceipt(*c.Receipt)}
	case c.Profile != nil:
		b.What = &pb.Change_Profile{Profile: FromProfile(*c.Profile)}
	case c.Devices != nil:
		b.What = &pb.Change_Devices{Devices: FromDevices(*c.Devices)}
	case c.Setting != nil:
		b.What = &pb.Change_Setting{Setting: FromSetting(*c.Setting)}
	}
	return b
}

// ToChange reads a change. One that holds nothing, or a kind of change that this version does not know, is Invalid like
// one that is malformed: a device passes over it and goes on.
func ToChange(b *Change) (hongyan.Change, error) {
	c := hongyan.Change{Version: hongyan.Version(b.GetVersion())}
	var err error
	switch w := b.GetWhat().(type) {
	case *pb.Change_Message:
		c.Message, err = pointer("message", ToMessage, w.Message)
	case *pb.Change_Recall:
		c.Recall, err = pointer("recall", toRecall, w.Recall)
	case *pb.Change_Removal:
		c.Removal, err = pointer("removal", toRemoval, w.Removal)
	case *pb.Change_Contact:
		c.Contact, err = pointer("contact", ToContact, w.Contact)
	case *pb.Change_Group:
		c.Group, err = pointer("group", ToGroup, w.Group)
	case *pb.Change_Conversation:
		c.Conversation, err = pointer("conversation", ToConversation, w.Conversation)
	case *pb.Change_Receipt:
		c.Receipt, err = pointer("receipt", ToReceipt, w.Receipt)
	case *pb.Change_Profile:
		c.Profile, err = pointer("profile", ToProfile, w.Profile)
	case *pb.Change_Devices:
		c.Devices, err = pointer("devices", ToDevices, w.Devices)
	case *pb.Change_Setting:
		c.Setting, err = pointer("setting", ToSetting, w.Setting)
	default:
		err = invalid("what", "the change says nothing that is known here")
	}
	return c, err
}

func toRecall(b *Recall) (hongyan.Recall, error) {
	c, err := toConversationID("conversation", b.Conversation)
	return hongyan.Recall{
		Conversation: c,
		Ordinal:      hongyan.Ordinal(b.Ordinal),
		ID:           hongyan.MessageID(b.Id),
		By:           hongyan.UserID(b.By),
	}, err
}

func toRemoval(b *Removal) (hongyan.Removal, error) {
	c, err := toConversationID("conversation", b.Conversation)
	return hongyan.Removal{Conversation: c, Ordinals: ToIDs[hongyan.Ordinal](b.Ordinals)}, err
}

// FromConversation makes the body of an account's view of a conversation.
func FromConversation(c hongyan.Conversation) *Conversation {
	b := &Conversation{
		Id:        c.ID.String(),
		Title:     c.Title,
		Last:      uint64(c.Last),
		Read:      uint64(c.Read),
		Joined:    uint64(c.Joined),
		Left:      uint64(c.Left),
		Cleared:   uint64(c.Cleared),
		Unread:    uint32(c.Unread),
		Pinned:    c.Pinned,
		Muted:     c.Muted,
		Hidden:    c.Hidden,
		Delivered: uint64(c.Delivered),
		PeerRead:  uint64(c.PeerRead),
	}
	if c.Peer != nil {
		b.Peer = FromProfile(*c.Peer)
	}
	if c.LastMessage != nil {
		b.LastMessage = FromMessage(*c.LastMessage)
	}
	return b
}

// ToConversation reads an account's view of a conversation.
func ToConversation(b *Conversation) (hongyan.Conversation, error) {
	var c hongyan.Conversation
	var err error
	if b == nil {
		return c, missing("conversation")
	}
	c = hongyan.Conversation{
		Title:     b.Title,
		Last:      hongyan.Ordinal(b.Last),
		Read:      hongyan.Ordinal(b.Read),
		Joined:    hongyan.Ordinal(b.Joined),
		Left:      hongyan.Ordinal(b.Left),
		Cleared:   hongyan.Ordinal(b.Cleared),
		Unread:    int(b.Unread),
		Pinned:    b.Pinned,
		Muted:     b.Muted,
		Hidden:    b.Hidden,
		Delivered: hongyan.Ordinal(b.Delivered),
		PeerRead:  hongyan.Ordinal(b.PeerRead),
	}
	if c.ID, err = toConversationID("id", b.Id); err != nil {
		return c, err
	}
	if c.Peer, err = optional("peer", ToProfile, b.Peer); err != nil {
		return c, err
	}
	c.LastMessage, err = optional("last_message", ToMessage, b.LastMessage)
	return c, err
}

// FromReceipt makes the body of a receipt.
func FromReceipt(r hongyan.Receipt) *Receipt {
	return &Receipt{
		Conversation: r.Conversation.String(),
		Reader:       uint64(r.Reader),
		Delivered:    uint64(r.Delivered),
		Read:         uint64(r.Read),
	}
}

// ToReceipt reads a receipt.
func ToReceipt(b *Receipt) (hongyan.Receipt, error) {
	if b == nil {
		return hongyan.Receipt{}, missing("receipt")
	}
	c, err := toConversationID("conversation", b.Conversation)
	return hongyan.Receipt{
		Conversation: c,
		Reader:       hongyan.UserID(b.Reader),
		Delivered:    hongyan.Ordinal(b.Delivered),
		Read:         hongyan.Ordinal(b.Read),
	}, err
}

// FromTypes makes the types of a SyncRequest.
func FromTypes(types []hongyan.Type) []Type {
	if len(types) == 0 {
		return nil
	}
	out := make([]Type, len(types))
	for i, t := range types {
		out[i] = Type(t)
	}
	return out
}

// ToTypes reads the types of a SyncRequest.
func ToTypes(list []Type) ([]hongyan.Type, error) {
	if len(list) == 0 {
		return nil, nil
	}
	out := make([]hongyan.Type, len(list))
	for i, t := range list {
		var err error
		if out[i], err = toEnum("types", t, hongyan.TypeMessage, hongyan.TypeSetting); err != nil {
			return nil, err
		}
	}
	return out, nil
}

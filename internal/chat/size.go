package chat

import "github.com/hongyan-im/hongyan"

// How many bytes things take in an answer: never less, and little more. Texts are counted, numbers and tags are
// taken for as long as they can get. Pages are cut by this, so that an answer never outgrows a frame.
const (
	numberSize       = 11  // a tag and a 64-bit number
	labelSize        = 4   // a tag and the length of a text or of a part
	idSize           = 48  // the text of a conversation id
	messageSize      = 192 // a message without content
	conversationSize = 256 // a conversation's state without texts
)

func sizeOfMessage(m *hongyan.Message) int {
	c := &m.Content
	n := messageSize + len(m.FromName) + len(c.Text) + numberSize*len(c.Mentions)
	if p := c.Media; p != nil {
		n += 64 + len(p.Ref) + len(p.Name) + len(p.MIME) + len(p.SHA256) + len(p.Thumbnail)
	}
	if p := c.Location; p != nil {
		n += 32 + len(p.Name) + len(p.Address)
	}
	if p := c.Custom; p != nil {
		n += 3*labelSize + len(p.Type) + len(p.Data)
	}
	if p := c.Notice; p != nil {
		n += 3*labelSize + len(p.Text) + numberSize*len(p.Users)
	}
	if p := c.Quote; p != nil {
		n += 2*labelSize + 2*numberSize + len(p.Excerpt)
	}
	if p := c.Forward; p != nil {
		n += 2*labelSize + 2*numberSize + len(p.FromName)
	}
	return n
}

func sizeOfProfile(p *hongyan.Profile) int {
	return numberSize + 5*labelSize + len(p.Name) + len(p.DisplayName) + len(p.Avatar) + len(p.Bio)
}

func sizeOfContact(c *hongyan.Contact) int {
	return sizeOfProfile(&c.Profile) + 3*numberSize + 3*labelSize + len(c.Remark) + len(c.Note)
}

func sizeOfConversation(c *hongyan.Conversation) int {
	n := conversationSize + len(c.Title)
	if c.Peer != nil {
		n += sizeOfProfile(c.Peer)
	}
	if c.LastMessage != nil {
		n += labelSize + sizeOfMessage(c.LastMessage)
	}
	return n
}

func sizeOfChange(c *hongyan.Change) int {
	n := numberSize + 2*labelSize
	switch {
	case c.Message != nil:
		n += sizeOfMessage(c.Message)
	case c.Recall != nil:
		n += idSize + 3*numberSize
	case c.Removal != nil:
		n += idSize + numberSize*len(c.Removal.Ordinals)
	case c.Contact != nil:
		n += sizeOfContact(c.Contact)
	case c.Group != nil:
		g := c.Group
		n += idSize + 8*numberSize + 5*labelSize + len(g.Title) + len(g.Announcement) + len(g.Avatar) + len(g.Link)
	case c.Conversation != nil:
		n += sizeOfConversation(c.Conversation)
	case c.Receipt != nil:
		n += idSize + 3*numberSize
	case c.Profile != nil:
		n += sizeOfProfile(c.Profile)
	case c.Devices != nil:
		for i := range c.Devices.List {
			n += 2*labelSize + 4*numberSize + len(c.Devices.List[i].Name)
		}
	case c.Setting != nil:
		n += 2*labelSize + len(c.Setting.Name) + len(c.Setting.Value)
	}
	return n
}

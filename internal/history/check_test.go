package history

import (
	"testing"

	"github.com/hongyan-im/hongyan"
)

const (
	ann, bob = hongyan.UserID(1), hongyan.UserID(2)
)

var (
	annPhone = Device{ann, 11}
	annWeb   = Device{ann, 12}
	bobPhone = Device{bob, 21}
	talk     = hongyan.Direct(ann, bob)
)

// story tells a small history: ann sends two messages to bob, and all three devices get them. Its fields may be spoilt
// before tell.
type story struct {
	*History
	first, second *Op
	one, two      hongyan.Message
	pages         []Page
	commits       []Commit
	held          map[Device][]hongyan.Message
	states        map[Device]map[string]string
	view          hongyan.Conversation
}

func begin() *story {
	s := &story{History: new(History), held: map[Device][]hongyan.Message{}, states: map[Device]map[string]string{}}
	s.first = s.Begin(Op{Device: annPhone, Kind: Send, Conversation: talk, Client: hongyan.ClientID{1}, Text: "one", Patient: true})
	s.one = said(1, 101, hongyan.ClientID{1}, "one")
	s.Complete(s.first, Result{101, 1, 1000})
	s.second = s.Begin(Op{Device: annPhone, Kind: Send, Conversation: talk, Client: hongyan.ClientID{2}, Text: "two", Patient: true})
	s.two = said(2, 102, hongyan.ClientID{2}, "two")
	s.Complete(s.second, Result{102, 2, 1000})
	for _, d := range []Device{annPhone, annWeb, bobPhone} {
		s.pages = append(s.pages, Page{Device: d, Source: Pulled, Version: 12, Changes: []hongyan.Change{
			{Version: 11, Message: &s.one}, {Version: 12, Message: &s.two},
		}})
		s.commits = append(s.commits, Commit{Device: d, Version: 12, Whole: true, Changes: s.pages[len(s.pages)-1].Changes})
		s.held[d] = []hongyan.Message{s.one, s.two}
		s.states[d] = map[string]string{}
	}
	s.view = hongyan.Conversation{ID: talk, Last: 2, Unread: 2}
	return s
}

func said(n hongyan.Ordinal, id hongyan.MessageID, client hongyan.ClientID, text string) hongyan.Message {
	return hongyan.Message{ID: id, Conversation: talk, Ordinal: n, From: ann, ClientID: client, TimeMS: 1000, Content: hongyan.Text(text)}
}

// tell records the rest of the story.
func (s *story) tell() []Violation {
	for i, p := range s.pages {
		if p.Source == Pulled {
			p.Asked = s.Ask()
		}
		s.Show(p)
		if i < len(s.commits) {
			s.Commit(s.commits[i])
		}
	}
	for _, d := range []Device{annPhone, annWeb, bobPhone} {
		s.Hold(Holding{Device: d, Messages: s.held[d], States: s.states[d]})
	}
	s.Settle(View{bobPhone, s.view})
	return Check(s.History)
}

// TestCheck spoils the story in one way after the other.
func TestCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(s *story)
		rule  Rule
	}{
		"kept":                  {func(*story) {}, ""},
		"a send without answer": {func(s *story) { s.second.Completed = 0 }, Progress},
		"a message is lost on one device": {func(s *story) {
			s.pages[2].Changes, s.commits[2].Changes = s.pages[2].Changes[:1], s.commits[2].Changes[:1]
			s.held[bobPhone] = s.held[bobPhone][:1]
		}, Durable},
		"a message is lost everywhere": {func(s *story) {
			for i, d := range []Device{annPhone, annWeb, bobPhone} {
				s.pages[i].Changes, s.commits[i].Changes = s.pages[i].Changes[:1], s.commits[i].Changes[:1]
				s.held[d] = s.held[d][:1]
			}
			s.view.Last, s.view.Unread = 1, 1
		}, Durable},
		"two results for one id": {func(s *story) {
			retry := s.Begin(Op{Device: annWeb, Kind: Send, Conversation: talk, Client: hongyan.ClientID{1}, Text: "one"})
			s.Complete(retry, Result{103, 3, 1000})
		}, Once},
		"a message that nobody sent": {func(s *story) { s.Ops = s.Ops[1:] }, Once},
		"a refusal of what was done": {func(s *story) { s.second.Code = hongyan.Blocked }, Once},
		"an order against time":      {func(s *story) { s.first.Result.Ordinal, s.second.Result.Ordinal = 2, 1 }, Order},
		"a gap in a conversation":    {func(s *story) { s.second.Result.Ordinal = 4 }, Order},
		"another text for one reader": {func(s *story) {
			other := s.two
			other.Content = hongyan.Text("other")
			s.pages[2].Changes[1].Message = &other
		}, Order},
		"two messages in one place": {func(s *story) {
			other := s.two
			other.ID = 999
			s.pages[2].Changes[1].Message = &other
		}, Order},
		"a page out of order": {func(s *story) {
			c := s.commits[0].Changes
			c[0], c[1] = c[1], c[0]
		}, Versions},
		"a version used twice": {func(s *story) { s.pages[1].Changes[1].Version = 11 }, Versions},
		"a version too large": {func(s *story) {
			for i := range 3 {
				s.pages[i].Changes[1].Version, s.pages[i].Version, s.commits[i].Version = 1<<53, 1<<53, 1<<53
			}
		}, Versions},
		"a key that goes back": {func(s *story) {
			s.pages = append(s.pages, Page{Device: annPhone, Source: Pulled, Version: 12})
			s.commits = append(s.commits, Commit{Device: annPhone, Previous: 12, Version: 5})
		}, Versions},
		"a key passes over a message": {func(s *story) { s.commits[1].Changes = s.commits[1].Changes[1:] }, Key},
		"a backfill leaves one out": {func(s *story) {
			s.commits[1].Reset = true
			s.commits[1].Changes = s.commits[1].Changes[1:]
		}, Key},
		"a pull finds less than was acknowledged": {func(s *story) {
			s.pages[1].Changes, s.pages[1].Version = s.pages[1].Changes[:1], 11
		}, Key},
		"states that differ": {func(s *story) { s.states[annWeb]["colour"] = "red" }, Key},
		"a setting that is lost": {func(s *story) {
			s.Complete(s.Begin(Op{Device: annPhone, Kind: Set, Name: "colour", Text: "red"}), Result{})
		}, Durable},
		"a recalled message is shown": {func(s *story) {
			s.Complete(s.Begin(Op{Device: annPhone, Kind: Recall, Conversation: talk, Ordinal: 1}), Result{})
		}, Recalled},
		"a recall that nobody asked for": {func(s *story) {
			s.held[bobPhone][0].State = hongyan.Recalled
			s.held[bobPhone][0].Content = hongyan.Content{}
		}, Recalled},
		"a stranger reads": {func(s *story) {
			s.Hold(Holding{Device: Device{3, 31}, Messages: []hongyan.Message{s.one}})
		}, Membership},
		"a stranger writes": {func(s *story) {
			strange := said(3, 103, hongyan.ClientID{3}, "three")
			strange.From = 3
			s.Complete(s.Begin(Op{Device: Device{3, 31}, Kind: Send, Conversation: talk, Client: hongyan.ClientID{3}, Text: "three"}),
				Result{103, 3, 1000})
			for d := range s.held {
				s.held[d] = append(s.held[d], strange)
			}
			s.view.Last, s.view.Unread = 3, 3
		}, Membership},
		"a blocked account writes": {func(s *story) {
			s.Complete(s.Begin(Op{Device: bobPhone, Kind: Block, Users: []hongyan.UserID{ann}}), Result{})
			s.first.Invoked, s.first.Completed = s.Ask(), 0
			s.second.Invoked, s.second.Completed = s.Ask(), s.Ask()
		}, Membership},
		"a block that is lifted": {func(s *story) {
			s.Complete(s.Begin(Op{Device: bobPhone, Kind: Block, Users: []hongyan.UserID{ann}}), Result{})
			s.Begin(Op{Device: bobPhone, Kind: Unblock, Users: []hongyan.UserID{ann}})
			s.first.Invoked, s.first.Completed = s.Ask(), s.Ask()
			s.second.Invoked, s.second.Completed = s.Ask(), s.Ask()
		}, ""},
		"a wrong count":      {func(s *story) { s.view.Unread = 1 }, Unread},
		"a mark is invented": {func(s *story) { s.view.Read, s.view.Unread = 2, 0 }, Unread},
		"a mark is lost": {func(s *story) {
			s.Complete(s.Begin(Op{Device: bobPhone, Kind: MarkRead, Conversation: talk, Ordinal: 2}), Result{})
		}, Unread},
		"a conversation that ends late":  {func(s *story) { s.view.Last = 3 }, Durable},
		"an end that was trimmed unseen": {func(s *story) { s.view.Last, s.Kept = 3, 1 }, ""},
		"a conversation that ends early": {func(s *story) { s.view.Last = 1 }, Durable},
		"a receipt before the message": {func(s *story) {
			receipt := &hongyan.Receipt{Conversation: talk, Reader: bob, Delivered: 2}
			s.pages[0].Changes = append(s.pages[0].Changes, hongyan.Change{Version: 12, Receipt: receipt})
		}, Receipts},
		"a receipt for what was not read": {func(s *story) {
			receipt := &hongyan.Receipt{Conversation: talk, Reader: bob, Delivered: 2, Read: 1}
			s.pages = append(s.pages, Page{Device: annPhone, Source: Pushed, Version: 13,
				Changes: []hongyan.Change{{Version: 13, Receipt: receipt}}})
		}, Receipts},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin()
			c.spoil(s)
			found := s.tell()
			for _, v := range found {
				if v.Rule == c.rule {
					return
				}
			}
			if c.rule != "" || len(found) > 0 {
				t.Errorf("found %v, want something about %q", found, c.rule)
			}
		})
	}
}

// TestLinearizable spoils the story where both checkers have to see it.
func TestLinearizable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(s *story)
		wrong bool
	}{
		"kept":                        {func(*story) {}, false},
		"an answer that nobody heard": {func(s *story) { s.second.Completed = 0 }, false},
		"a retry": {func(s *story) {
			retry := s.Begin(Op{Device: annWeb, Kind: Send, Conversation: talk, Client: hongyan.ClientID{1}, Text: "one"})
			s.Complete(retry, Result{101, 1, 1000})
		}, false},
		"another result for a retry": {func(s *story) {
			retry := s.Begin(Op{Device: annWeb, Kind: Send, Conversation: talk, Client: hongyan.ClientID{1}, Text: "one"})
			s.Complete(retry, Result{103, 3, 1000})
		}, true},
		"an order against time": {func(s *story) { s.first.Result.Ordinal, s.second.Result.Ordinal = 2, 1 }, true},
		"shown before it was sent": {func(s *story) {
			s.Show(s.pages[0])
			s.second.Invoked = s.Ask()
			s.second.Completed = 0
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin()
			c.spoil(s)
			s.tell()
			if found := Linearizable(s.History, 0); (len(found) > 0) != c.wrong {
				t.Errorf("found %v, want something: %t", found, c.wrong)
			}
		})
	}
}

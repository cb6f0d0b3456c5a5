// Package terminal is the chat for the terminal: a list of conversations, the messages of one, a line to write the
// next, and the state of the connection.
//
// A screen holds the state and draws it; it is fed with keys, with what the client tells and with time, and answers
// with actions. A program carries the actions out with a client and connects the screen with a real terminal through
// Bubble Tea. So everything that a person sees can be tested without a terminal, a network or a clock.
package terminal

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

// Feed is where a client's events go. It is made before the client, whose options want it, and works once Run does.
type Feed struct{ events chan client.Event }

// NewFeed makes a Feed.
func NewFeed() *Feed { return &Feed{make(chan client.Event)} }

// OnEvent is for the options of the client. It returns when the event is on the screen's side.
func (f *Feed) OnEvent(e client.Event) error {
	f.events <- e
	return nil
}

// Run shows the chat of a client on this process's terminal until the person quits or ctx ends. The client must tell
// its events to the feed. Run keeps the client connected; it returns the client's error if the device is not wanted any
// more or its profile is in use.
func Run(ctx context.Context, cl *client.Client, feed *Feed) error { return run(ctx, cl, feed) }

func run(ctx context.Context, cl *client.Client, feed *Feed, options ...tea.ProgramOption) error {
	s := newScreen(wordsFor(locale()), cl.User(), cl.Name(), time.Now())
	start, err := load(ctx, cl)
	if err != nil {
		return err
	}
	first := s.handle(start)

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := &program{ctx: ctx, screen: s, client: cl, first: first}
	terminal := tea.NewProgram(p, append(options, tea.WithContext(ctx), tea.WithoutSignalHandler())...)
	p.sender = newSender(cl, terminal.Send)
	var parts sync.WaitGroup
	ended := make(chan error, 1)
	parts.Go(func() {
		err := cl.Run(ctx)
		cancel(err) // ends the terminal if the client has ended by itself
		ended <- err
	})
	parts.Go(func() { p.forward(feed, terminal.Send, ended) })
	parts.Go(func() { p.sender.run(ctx) })
	_, err = terminal.Run()
	cancel(nil)
	parts.Wait()
	if p.clientErr != nil {
		return p.clientErr
	}
	if errors.Is(err, tea.ErrProgramKilled) {
		return nil // by the end of ctx
	}
	return err
}

// locale is the language that the person has chosen for messages (POSIX Base Definitions §8.2).
func locale() string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return ""
}

// load reads what the device holds.
func load(ctx context.Context, cl *client.Client) (loaded, error) {
	conversations, err := cl.Conversations()
	if err != nil {
		return loaded{}, err
	}
	contacts, err := cl.Contacts()
	if err != nil {
		return loaded{}, err
	}
	names := make(map[hongyan.UserID]string)
	for _, c := range conversations {
		if c.Peer != nil {
			names[c.Peer.User] = called("", c.Peer)
		}
	}
	for _, c := range contacts {
		names[c.Profile.User] = called(c.Remark, &c.Profile)
	}
	groups, err := cl.Groups()
	if err != nil {
		return loaded{}, err
	}
	items, err := cl.Outbox(ctx)
	return loaded{conversations, items, groups, names}, err
}

// program is the Bubble Tea model around a screen.
type program struct {
	ctx       context.Context
	screen    *screen
	client    *client.Client
	sender    *sender
	first     []any // the actions to begin with
	clientErr error
}

// maxTold is how many events the screen gets at once. It is drawn once for all of them.
const maxTold = 256

// forward hands the client's events to the terminal until the client has ended.
func (p *program) forward(feed *Feed, send func(tea.Msg), ended <-chan error) {
	for {
		select {
		case e := <-feed.events:
			send(p.gather(feed, told{p.complete(e)}))
		case p.clientErr = <-ended:
			return
		}
	}
}

// gather adds the events that follow at once.
func (p *program) gather(feed *Feed, events told) told {
	pause := time.NewTimer(gatherTime)
	defer pause.Stop()
	for len(events) < maxTold {
		select {
		case e := <-feed.events:
			events = append(events, p.complete(e))
		case <-pause.C:
			return events
		}
	}
	return events
}

// gatherTime is how long an event waits for those that follow it. Nobody notices so little.
const gatherTime = 5 * time.Millisecond

// complete adds to a conversation the last message, which events leave out.
func (p *program) complete(e client.Event) client.Event {
	if c, ok := e.(client.ConversationEvent); ok {
		if full, known, err := p.client.Conversation(c.Conversation.ID); err == nil && known {
			return client.ConversationEvent{Conversation: full}
		}
	}
	return e
}

// Init asks the terminal for its background.
func (p *program) Init() tea.Cmd { return tea.Batch(tea.RequestBackgroundColor, p.commands(p.first)) }

// Update feeds the screen.
func (p *program) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	s := p.screen
	s.now = time.Now()
	var acts []any
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		acts = s.resize(msg.Width, msg.Height)
	case tea.KeyPressMsg:
		acts = s.press(msg)
	case tea.PasteMsg:
		acts = s.paste(msg.Content)
	case tea.FocusMsg:
		acts = s.focus(true)
	case tea.BlurMsg:
		acts = s.focus(false)
	case tea.BackgroundColorMsg:
		s.recolour(msg.IsDark())
	case tea.ModeReportMsg:
		// The renderer does the same on this answer.
		if msg.Mode == ansi.ModeUnicodeCore && joins(msg.Value) {
			s.remeasure(measure(ansi.GraphemeWidth))
		}
	default:
		acts = s.handle(msg)
	}
	return p, p.commands(acts)
}

func (p *program) commands(acts []any) tea.Cmd {
	cmds := make([]tea.Cmd, len(acts))
	for i, act := range acts {
		cmds[i] = p.carryOut(act)
	}
	return tea.Batch(cmds...)
}

// joins reports whether a terminal that answers so about mode 2027 counts a sequence of emoji as one.
func joins(v ansi.ModeSetting) bool {
	return v == ansi.ModeSet || v == ansi.ModeReset || v == ansi.ModePermanentlySet
}

// View draws the screen.
func (p *program) View() tea.View {
	f := p.screen.draw()
	v := tea.NewView(f.text())
	v.AltScreen, v.ReportFocus, v.WindowTitle = true, true, f.title
	if f.cursor {
		v.Cursor = tea.NewCursor(f.column, f.line)
	}
	return v
}

// carryOut makes the command of an action.
func (p *program) carryOut(act any) tea.Cmd {
	switch act := act.(type) {
	case quit:
		return tea.Quit
	case wake:
		return tea.Tick(act.after, func(time.Time) tea.Msg { return woken{} })
	case fetchOlder:
		return func() tea.Msg { return fetch(p.ctx, p.client, act) }
	case sendText:
		if p.sender.add(act) { // here, not in a command: commands run in any order
			return nil
		}
		return func() tea.Msg {
			return notStored{act.to, act.text, hongyan.Errorf(hongyan.Busy, "%d messages wait to be stored", maxUnstored)}
		}
	case resend:
		return func() tea.Msg {
			again := p.client.Resend
			if act.asNew {
				again = p.client.ResendAsNew
			}
			sent, err := again(p.ctx, act.id)
			if err == nil || sent.ClientID != (hongyan.ClientID{}) {
				return resent{act.id, sent.ClientID}
			}
			return notResent{act.id, err}
		}
	case discard:
		return func() tea.Msg {
			if err := p.client.Discard(p.ctx, act.id); err != nil {
				return told{client.TroubleEvent{Err: err}}
			}
			return nil
		}
	case markRead:
		return func() tea.Msg {
			if err := p.client.MarkRead(p.ctx, act.id, act.ordinal); err != nil {
				return notMarked{act.id}
			}
			return nil
		}
	case findAccount:
		return func() tea.Msg {
			list, err := p.client.LookUp(p.ctx, nil, []string{act.name})
			if err == nil && len(list) == 0 {
				err = hongyan.Errorf(hongyan.NotFound, "there is no account %q", act.name)
			}
			if err != nil {
				return found{err: err}
			}
			return found{profile: list[0]}
		}
	case findNames:
		return func() tea.Msg {
			profiles, _ := p.client.Profiles(p.ctx, act.users...) // of those that cannot be had the account names stay
			names := make(named)
			for u, profile := range profiles {
				names[u] = called("", &profile)
			}
			return names
		}
	}
	return nil
}

// fetch reads older messages, from the device's own store where it has them without a gap, otherwise from the server.
func fetch(ctx context.Context, cl *client.Client, act fetchOlder) fetched {
	result := fetched{id: act.conv.ID, before: act.before}
	held, err := cl.Messages(act.conv.ID, act.before, pageSize)
	if err != nil {
		result.err = err
		return result
	}
	floor := max(act.conv.Joined, act.conv.Cleared)
	expect := act.before
	if expect == 0 {
		expect = act.conv.Last + 1
	}
	if reach := whole(held, expect); reach <= floor+1 || len(held) == pageSize && expect-reach >= pageSize {
		result.messages, result.more = held, reach > floor+1
		return result
	}
	result.messages, result.more, result.err = cl.History(ctx, act.conv.ID, act.before, 0, pageSize)
	if result.err != nil {
		result.messages, result.more = held, true
	}
	return result
}

// whole is the lowest ordinal down to which messages follow each other without a gap, from just below an ordinal.
func whole(messages []hongyan.Message, below hongyan.Ordinal) hongyan.Ordinal {
	for i := len(messages) - 1; i >= 0 && messages[i].Ordinal+1 == below; i-- {
		below--
	}
	return below
}

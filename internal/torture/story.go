package torture

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/history"
)

// maxWindow is how many lines of the story a violation is shown with.
const maxWindow = 30

// line is something that happened, for people.
type line struct {
	at   history.Moment
	text string
}

// story tells everything that was recorded in an act, in order.
func story(h *history.History, devices []device) []line {
	names := map[history.Device]string{}
	for _, d := range devices {
		names[history.Device{User: d.User, Device: d.Device}] = fmt.Sprintf("%-8s device %d of account %d", d.Way, d.Device, d.User)
	}
	var all []line
	add := func(at history.Moment, d history.Device, format string, args ...any) {
		all = append(all, line{at, names[d] + " " + fmt.Sprintf(format, args...)})
	}
	for _, o := range h.Ops {
		what := fmt.Sprintf("%v %s/%d %v %s %q", o.Kind, o.Conversation, max(o.Ordinal, o.Result.Ordinal), o.Users, o.Name, o.Text)
		if o.Kind == history.Send {
			what += fmt.Sprintf(" as %x", o.Client)
		}
		add(o.Invoked, o.Device, "asks: %s", what)
		switch {
		case o.Completed == 0:
		case o.Code != 0:
			add(o.Completed, o.Device, "is refused: %s: %v", what, o.Code)
		default:
			add(o.Completed, o.Device, "is answered: %s: message %d", what, o.Result.ID)
		}
	}
	for i := range h.Pages {
		p := &h.Pages[i]
		add(p.Shown, p.Device, "sees, asked for at %d: version %d, more %t, reset %t:%s", p.Asked, p.Version, p.More, p.Reset, contents(p.Changes))
	}
	for i := range h.Commits {
		c := &h.Commits[i]
		add(c.Moment, c.Device, "stores version %d after %d, backfilled %t:%s", c.Version, c.Previous, c.Backfilled, contents(c.Changes))
	}
	slices.SortStableFunc(all, func(a, b line) int { return cmp.Compare(a.at, b.at) })
	return all
}

func contents(changes []hongyan.Change) string {
	var b strings.Builder
	for _, c := range changes {
		switch {
		case c.Message != nil:
			fmt.Fprintf(&b, " %d=%s/%d", c.Version, c.Message.Conversation, c.Message.Ordinal)
		case c.Recall != nil:
			fmt.Fprintf(&b, " %d=recall of %s/%d", c.Version, c.Recall.Conversation, c.Recall.Ordinal)
		}
	}
	return b.String()
}

// places are how violations name what they are about.
var (
	aPlace  = regexp.MustCompile(`[dg]:[0-9:]+/[0-9]+`)
	aDevice = regexp.MustCompile(`device [0-9]+`)
)

// tell writes the story of an act to a file beside its records, and returns for each violation the part that is about the
// same place, or else about the same device.
func tell(h *history.History, devices []device, dir string, found []history.Violation) ([][]string, error) {
	all := story(h, devices)
	f, err := os.Create(filepath.Join(dir, "story.txt"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := bufio.NewWriter(f)
	for _, l := range all {
		fmt.Fprintf(out, "%d %s\n", l.at, l.text)
	}
	windows := make([][]string, len(found))
	for i, v := range found {
		about := cmp.Or(aPlace.FindString(v.Detail), aDevice.FindString(v.Detail))
		word := regexp.MustCompile(regexp.QuoteMeta(about) + `\b`)
		for _, l := range all {
			if about != "" && len(windows[i]) < maxWindow && word.MatchString(l.text) {
				windows[i] = append(windows[i], fmt.Sprintf("%d %s", l.at, l.text))
			}
		}
	}
	return windows, out.Flush()
}

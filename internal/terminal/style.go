package terminal

import (
	"image/color"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/hongyan-im/hongyan"
)

// painter gives text its colours, for a dark or a light background. Every distinction that a colour makes is made by a
// sign, by bold or by reverse video too, because a terminal may show no colours (NO_COLOR).
type painter struct {
	faint, bold, accent, rule   lipgloss.Style
	good, busy, bad             lipgloss.Style // connection
	sending, sent, read, failed lipgloss.Style // own messages
	badge, quiet, mine          lipgloss.Style
	senders                     []lipgloss.Style
	highlight                   color.Color // behind what is selected
}

func newPainter(dark bool) painter {
	choose := lipgloss.LightDark(dark)
	colour := func(light, dark string) lipgloss.Style {
		return lipgloss.NewStyle().Foreground(choose(lipgloss.Color(light), lipgloss.Color(dark)))
	}
	grey := colour("#5f6672", "#8b92a3")
	accent := colour("#1f5fbf", "#7ab0ff")
	p := painter{
		faint:  grey,
		bold:   lipgloss.NewStyle().Bold(true),
		accent: accent.Bold(true),
		rule:   colour("#c3c8d1", "#3d4351"),

		good: colour("#1e7d34", "#7fd18b"),
		busy: colour("#8a6100", "#e3b85c"),
		bad:  colour("#b3261e", "#ff8a80").Bold(true),

		sending: colour("#8a6100", "#e3b85c"),
		sent:    grey,
		read:    colour("#1e7d34", "#7fd18b").Bold(true),
		failed:  colour("#b3261e", "#ff8a80").Bold(true),

		highlight: choose(lipgloss.Color("#e4eaf5"), lipgloss.Color("#2a3040")),
		badge:     colour("#b3261e", "#ff8a80").Bold(true).Reverse(true),
		quiet:     grey.Reverse(true),
		mine:      accent.Bold(true),
	}
	for _, c := range [][2]string{
		{"#9a3b00", "#ffb38a"}, {"#6a1b9a", "#d7a8ff"}, {"#00695c", "#7fded0"}, {"#ad1457", "#ff9ec4"},
		{"#4e5d00", "#d3df7a"}, {"#283593", "#a9b6ff"}, {"#5d4037", "#dcb8a8"}, {"#00607a", "#8adcff"},
	} {
		p.senders = append(p.senders, colour(c[0], c[1]).Bold(true))
	}
	return p
}

// sender is the colour of an account, the same in every conversation.
func (p *painter) sender(u hongyan.UserID) lipgloss.Style {
	return p.senders[uint64(u)%uint64(len(p.senders))]
}

// line draws a rule with some words in it, exactly so many columns wide.
func (p *painter) line(m measure, label string, columns int) string {
	if label == "" {
		return p.rule.Render(strings.Repeat("─", max(columns, 0)))
	}
	label = " " + m.fit(label, columns-4) + " "
	left := max((columns-m.width(label))/2, 0)
	right := max(columns-m.width(label)-left, 0)
	return p.rule.Render(strings.Repeat("─", left)) + p.faint.Render(label) + p.rule.Render(strings.Repeat("─", right))
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/client"
)

// maxReportList bounds the answer of a server to the question for reports, in bytes: what it keeps of them takes less.
const maxReportList = 64 << 20

func reportCommand() *cobra.Command {
	return family("report", "Tell of networks that fail, and look through what was told", reportListCommand(), reportSendCommand())
}

func reportListCommand() *cobra.Command {
	var asJSON bool
	var limit int
	c := &cobra.Command{
		Use:   "list",
		Short: "Show what clients reported of their networks",
		Long: `Show what clients have reported to the running server about networks that failed them, the newest first: when it came
and from which network, since when the client was without a connection, and what became of each attempt.`,
		Example: `  hongyan report list --data /var/lib/hongyan --limit 10
  hongyan report list --json | jq -r '.report.attempts[] | select(.stage != "ok") | .address'`,
		Args: cobra.NoArgs,
	}
	op := operatorFlags(c)
	jsonFlag(c, &asJSON)
	c.Flags().IntVar(&limit, "limit", 100, "reports at most, up to 1000")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if limit < 1 || limit > 1000 {
			return wrongUse(c, fmt.Errorf("--limit is from 1 to 1000, not %d", limit))
		}
		list, err := op.reports(c.Context(), limit)
		if err != nil {
			return err
		}
		for _, line := range list {
			if asJSON {
				err = printJSON(c.OutOrStdout(), line)
			} else {
				err = printReport(c.OutOrStdout(), line)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

// reports asks the server for the latest reports, each as it stands in its answer.
func (o *operator) reports(ctx context.Context, limit int) ([]json.RawMessage, error) {
	conn, err := o.connect(ctx)
	if err != nil {
		return nil, err
	}
	conn.Close() // a server runs
	socket := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", o.socket())
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/v1/reports?limit="+strconv.Itoa(limit), nil)
	if err != nil {
		return nil, err
	}
	response, err := socket.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxReportList))
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered with %s: %s", response.Status, body)
	}
	var answer struct{ Reports []json.RawMessage }
	return answer.Reports, json.Unmarshal(body, &answer)
}

// printReport writes a report for people.
func printReport(w io.Writer, line json.RawMessage) error {
	var entry struct {
		ReceivedMS int64 `json:",string"`
		RequestID  string
		From       string
		User       uint64 `json:",string"`
		Report     struct {
			Client, Network string
			SinceMS         int64 `json:",string"`
			Waiting         int
			Attempts        []struct {
				Transport, Address, Stage, Error string
				AtMS                             int64 `json:",string"`
				TookMS                           int
			}
		}
	}
	if err := json.Unmarshal(line, &entry); err != nil {
		return err
	}
	r := entry.Report
	who := entry.From
	if entry.User != 0 {
		who += fmt.Sprintf(", account %d", entry.User)
	}
	since := ""
	if r.SinceMS != 0 {
		since = ", without a connection since " + time.UnixMilli(r.SinceMS).Format(time.DateTime)
	}
	if r.Network != "" {
		since = ", " + r.Network + since
	}
	if _, err := fmt.Fprintf(w, "%s  %s  from %s\n  %s%s, %d messages waiting\n", time.UnixMilli(entry.ReceivedMS).Format(time.DateTime),
		entry.RequestID, who, r.Client, since, r.Waiting); err != nil {
		return err
	}
	rows := make([][]string, len(r.Attempts))
	for i, a := range r.Attempts {
		rows[i] = []string{"  " + time.UnixMilli(a.AtMS).Format(time.TimeOnly), strconv.Itoa(a.TookMS), a.Transport, a.Stage, a.Address, a.Error}
	}
	if err := printTable(w, []string{"  AT", "MS", "BY", "STAGE", "ADDRESS", "ERROR"}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

func reportSendCommand() *cobra.Command {
	var show bool
	c := &cobra.Command{
		Use:   "send",
		Short: "Report the state of this network to the server's operator",
		Long: `Try every known way to the server, show what became of each, and send that to the server's operator over whatever way
works. The report holds addresses, times and errors of the system, and no names, texts or tokens.`,
		Example: `  hongyan report send --profile A
  hongyan report send --profile A --dry-run`,
		Args: cobra.NoArgs,
	}
	p := profileFlag(c)
	c.Flags().BoolVar(&show, "dry-run", false, "show the report without sending it")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return p.use(c.Context(), client.Options{}, func(ctx context.Context, cl *client.Client) error {
			report, err := cl.Survey(ctx)
			if err != nil {
				return err
			}
			if err := printAttempts(c.OutOrStdout(), report.Attempts); err != nil || show {
				return err
			}
			ctx, cancel := context.WithTimeoutCause(ctx, reportPatience, errNoPath)
			defer cancel()
			id, err := cl.SendReport(ctx, report)
			if err != nil {
				return withHint(err, "try again in another network, or later: what is shown above is of use to the operator too")
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "reported as %s\n", id)
			return err
		})
	}
	return c
}

// reportPatience is how long the command tries to send a report.
const reportPatience = 30 * time.Second

var errNoPath = errors.New("no way to the server works")

func printAttempts(w io.Writer, list []client.Attempt) error {
	rows := make([][]string, len(list))
	for i, a := range list {
		text := ""
		if a.Err != nil {
			text = strings.ReplaceAll(a.Err.Error(), "\n", " ")
		}
		rows[i] = []string{strconv.FormatInt(a.Took.Milliseconds(), 10), a.Transport, a.Stage, a.Address, text}
	}
	return printTable(w, []string{"MS", "BY", "STAGE", "ADDRESS", "ERROR"}, rows)
}

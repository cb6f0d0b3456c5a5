package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

func getCommand() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "get REFERENCE",
		Short: "Fetch a file that somebody has sent",
		Long: `Fetch a file by the reference that sync and chat show beside its name.

It gets the name that it was sent with, in this directory. A file that is there already is not touched.`,
		Example: `  hongyan get m_2GKdUyOCrfXGIqzZQxS6fA
  hongyan get m_2GKdUyOCrfXGIqzZQxS6fA --output reeds.jpg`,
		Args: cobra.ExactArgs(1),
	}
	p := profileFlag(c)
	c.Flags().StringVarP(&output, "output", "o", "", "`file` to write, replaced if it is there; - for standard output")
	c.RunE = p.asDevice(func(c *cobra.Command, cl *client.Client, args []string) error {
		if output == "-" {
			_, err := cl.Download(c.Context(), args[0], c.OutOrStdout(), nil)
			return err
		}
		return fetch(c, cl, args[0], output)
	})
	return c
}

// fetch writes the file of a reference beside its place and puts it there when it is whole.
func fetch(c *cobra.Command, cl *client.Client, ref, output string) error {
	f, err := os.CreateTemp(filepath.Dir(output), ".hongyan-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already if all went well
	bar := newProgress(c.ErrOrStderr(), "fetching")
	m, err := cl.Download(c.Context(), ref, f, bar.show)
	bar.end()
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if output == "" {
		output = localName(m)
		if err := reserve(output); err != nil {
			return err
		}
	}
	if err := os.Rename(f.Name(), output); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), output)
	return err
}

// reserve makes an empty file where there is none.
func reserve(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return withHint(fmt.Errorf("there is a file %s already", path), "say where to put it with --output")
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// localName is the name of a file without what others may have put into it to get elsewhere.
func localName(m hongyan.Media) string {
	name := strings.TrimLeft(m.Name[strings.LastIndexAny(m.Name, `/\`)+1:], ".")
	if name == "" {
		return m.Ref
	}
	return name
}

// uploaded brings a file to the server and returns the content of a message with it.
func uploaded(ctx context.Context, cl *client.Client, path, caption string, errs io.Writer) (hongyan.Content, error) {
	f, err := os.Open(path)
	if err != nil {
		return hongyan.Content{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return hongyan.Content{}, err
	}
	if !info.Mode().IsRegular() {
		return hongyan.Content{}, fmt.Errorf("%s is no file that can be sent", path)
	}
	bar := newProgress(errs, "sending "+filepath.Base(path))
	m, err := cl.Upload(ctx, client.Upload{
		Name: filepath.Base(path), MIME: mime.TypeByExtension(filepath.Ext(path)), Content: f, Size: info.Size(),
		Progress: func(done int64) { bar.show(done, info.Size()) },
	})
	bar.end()
	if err != nil {
		return hongyan.Content{}, err
	}
	return hongyan.Content{Kind: kindOf(m.MIME), Text: caption, Media: &m}, nil
}

// kindOf is as what a file is shown. A recording of sound is a file: voice is what somebody has just said.
func kindOf(mediaType string) hongyan.Kind {
	switch family, _, _ := strings.Cut(mediaType, "/"); family {
	case "image":
		return hongyan.KindImage
	case "video":
		return hongyan.KindVideo
	}
	return hongyan.KindFile
}

// progress is a line on a terminal that says how far something is.
type progress struct {
	out   *os.File // nil if it is no terminal
	what  string
	shown int64 // percent, -1 for nothing yet
}

func newProgress(out io.Writer, what string) *progress {
	p := &progress{what: what, shown: -1}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.out = f
	}
	return p
}

func (p *progress) show(done, size int64) {
	if p.out == nil || size <= 0 {
		return
	}
	if percent := done * 100 / size; percent != p.shown {
		p.shown = percent
		fmt.Fprintf(p.out, "\r%s: %d%%", p.what, percent)
	}
}

// end leaves the line.
func (p *progress) end() {
	if p.shown >= 0 {
		fmt.Fprintln(p.out)
	}
}

package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

// profile is where a device keeps its credentials and what it has received.
type profile struct{ flag string }

// profileFlag adds --profile.
func profileFlag(c *cobra.Command) *profile {
	p := new(profile)
	c.Flags().StringVar(&p.flag, "profile", "",
		"`directory` of this device (environment: HONGYAN_PROFILE; default: hongyan/profile where this user keeps settings)")
	return p
}

// dir is the flag, the environment, or a place below the user's configuration directory (XDG Base Directory
// Specification).
func (p *profile) dir() (string, error) {
	if dir := cmp.Or(p.flag, os.Getenv("HONGYAN_PROFILE")); dir != "" {
		return dir, nil
	}
	base, err := os.UserConfigDir()
	if err != nil {
		return "", withHint(err, "name a directory with --profile")
	}
	return filepath.Join(base, "hongyan", "profile"), nil
}

// use opens the profile, does something as the device that it belongs to, and closes it.
func (p *profile) use(ctx context.Context, o client.Options, do func(context.Context, *client.Client) error) error {
	dir, err := p.dir()
	if err != nil {
		return err
	}
	c, err := client.Open(dir, o)
	if errors.Is(err, fs.ErrNotExist) {
		return withHint(fmt.Errorf("nobody has logged in with the profile %s", dir),
			"log in first: hongyan login --server HOST:PORT --user NAME --profile %s", dir)
	}
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, c), c.Close())
}

// asDevice makes the RunE of a command that does something as a device.
func (p *profile) asDevice(
	do func(c *cobra.Command, cl *client.Client, args []string) error,
) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		return p.use(c.Context(), client.Options{}, func(_ context.Context, cl *client.Client) error {
			return do(c, cl, args)
		})
	}
}

// server is how a device that has no profile yet reaches its server.
type server struct{ address, pin string }

// serverFlags adds --server and --pin.
func serverFlags(c *cobra.Command) *server {
	s := new(server)
	c.Flags().StringVar(&s.address, "server", "", "`address` of the server: HOST:PORT, or HOST for port "+client.DefaultPort)
	c.Flags().StringVar(&s.pin, "pin", "",
		"`fingerprint` of the server's certificate, for one that no authority has signed")
	if err := c.MarkFlagRequired("server"); err != nil {
		panic(err) // the flag was just made
	}
	return s
}

// options are those of the first connection: a certificate that nobody known has signed is accepted if the person at
// the terminal recognises it.
func (s *server) options(c *cobra.Command) client.Options {
	return client.Options{Dial: client.DialOptions{Pin: s.pin, TrustFirst: func(fingerprint string) error {
		unknown := withHint(errors.New("no known authority has signed the server's certificate"),
			"compare its fingerprint with what the server shows at its start, then add: --pin %s", fingerprint)
		terminal, ok := c.InOrStdin().(*os.File)
		if !ok || !term.IsTerminal(int(terminal.Fd())) {
			return unknown
		}
		fmt.Fprintf(c.ErrOrStderr(), "No known authority has signed the certificate of %s. Its fingerprint is\n  %s\n"+
			"Is that what the server shows at its start? [y/N] ", s.address, fingerprint)
		answer, _ := bufio.NewReader(terminal).ReadString('\n')
		if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
			return unknown
		}
		return nil
	}}}
}

// welcome says what a login has made, and closes it.
func (p *profile) welcome(c *cobra.Command, cl *client.Client, dir string) error {
	_, err := fmt.Fprintf(c.OutOrStdout(), "logged in as %s, account %d, device %d, profile %s\n",
		cl.Name(), cl.User(), cl.Device(), dir)
	return errors.Join(err, cl.Close())
}

// account finds an account by its name.
func account(ctx context.Context, cl *client.Client, name string) (hongyan.Profile, error) {
	found, err := cl.LookUp(ctx, nil, []string{name})
	if err == nil && len(found) == 0 {
		err = hongyan.Errorf(hongyan.NotFound, "there is no account %q", name)
	}
	if err != nil {
		return hongyan.Profile{}, err
	}
	return found[0], nil
}

// accounts finds accounts by their names.
func accounts(ctx context.Context, cl *client.Client, names []string) ([]hongyan.UserID, error) {
	list := make([]hongyan.UserID, len(names))
	for i, name := range names {
		p, err := account(ctx, cl, name)
		if err != nil {
			return nil, err
		}
		list[i] = p.User
	}
	return list, nil
}

// conversation reads a conversation, or finds the direct one with the account of a name.
func conversation(ctx context.Context, cl *client.Client, text string) (hongyan.ConversationID, error) {
	if strings.Contains(text, ":") { // no account name has one
		return hongyan.ParseConversation(text)
	}
	p, err := account(ctx, cl, text)
	return hongyan.Direct(cl.User(), p.User), err
}

// target reads where a message goes.
func target(text string) (client.Target, error) {
	if !strings.Contains(text, ":") {
		return client.ToName(text), nil
	}
	id, err := hongyan.ParseConversation(text)
	return client.ToConversation(id), err
}

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hongyan-im/hongyan/internal/auth"
)

// passwordFlag adds --password-stdin.
func passwordFlag(c *cobra.Command) *bool {
	return c.Flags().Bool("password-stdin", false, "read the password from the first line of standard input")
}

// readPassword gets a password from standard input or from the person at the terminal, without showing it. A new
// password is asked for twice.
func readPassword(c *cobra.Command, fromStdin, isNew bool) (string, error) {
	if fromStdin {
		return firstLine(c.InOrStdin())
	}
	terminal, ok := c.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return "", withHint(errors.New("there is no terminal to ask for a password"),
			"give it on standard input: printf '%%s\\n' \"$PASSWORD\" | %s … --password-stdin", c.CommandPath())
	}
	prompts := []string{"Password: "}
	if isNew {
		prompts = []string{"New password: ", "The same again: "}
	}
	var answers []string
	for _, prompt := range prompts {
		fmt.Fprint(c.ErrOrStderr(), prompt)
		answer, err := term.ReadPassword(int(terminal.Fd()))
		fmt.Fprintln(c.ErrOrStderr())
		if err != nil {
			return "", fmt.Errorf("cannot read the password: %w", err)
		}
		answers = append(answers, string(answer))
	}
	if isNew && answers[0] != answers[1] {
		return "", withHint(errors.New("the two passwords differ"), "nothing was changed; try again")
	}
	return checkPassword(answers[0])
}

func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, auth.MaxPassword+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	return checkPassword(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"))
}

func checkPassword(password string) (string, error) {
	switch {
	case password == "":
		return "", errors.New("the password is empty")
	case len(password) > auth.MaxPassword:
		return "", fmt.Errorf("the password has more than %d bytes", auth.MaxPassword)
	}
	return password, nil
}

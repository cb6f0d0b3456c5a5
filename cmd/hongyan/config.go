package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/config"
)

func configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Print the documented configuration file",
		Long: `Print a configuration file with every setting, what it is for and its value.

Without flags the values are the defaults. With --config, with settings as flags or in the environment, they are what
serve would use with the same flags.`,
		Example: `  hongyan config >hongyan.toml
  hongyan config --config hongyan.toml --log.level debug`,
		Args: cobra.NoArgs,
	}
	load := configFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		settings, err := load()
		if err != nil {
			return err
		}
		return config.WriteFile(c.OutOrStdout(), settings)
	}
	return c
}

// configFlags adds --config and a flag for every setting, and returns what puts the configuration together.
func configFlags(c *cobra.Command) (load func() (config.Config, error)) {
	file := c.Flags().String("config", "", "TOML `file` with settings (environment: HONGYAN_CONFIG)")
	for _, s := range config.Settings() {
		summary, _, _ := strings.Cut(s.Doc, "\n")
		f := c.Flags().VarPF(&settingFlag{s.Default, s.Kind}, s.Key, "", strings.TrimSuffix(summary, "."))
		if s.Kind == "bool" {
			f.NoOptDefVal = "true"
		}
	}
	return func() (config.Config, error) {
		sources := config.Sources{File: *file, Getenv: os.LookupEnv, Flags: make(map[string]string)}
		if sources.File == "" {
			sources.File = os.Getenv("HONGYAN_CONFIG")
		}
		for _, s := range config.Settings() {
			if f := c.Flags().Lookup(s.Key); f.Changed {
				sources.Flags[s.Key] = f.Value.String()
			}
		}
		return config.Load(sources)
	}
}

// settingFlag takes the text of a setting as it is: config.Load judges it, together with the other places.
type settingFlag struct{ text, kind string }

func (f *settingFlag) Set(text string) error { f.text = text; return nil }
func (f *settingFlag) String() string        { return f.text }
func (f *settingFlag) Type() string          { return f.kind }

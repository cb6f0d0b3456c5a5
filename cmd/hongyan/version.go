package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
)

func versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Example: "  hongyan version --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v := buildVersion()
			if asJSON {
				return printJSON(c.OutOrStdout(), v)
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "hongyan %s\nmodule  %s\ncommit  %s\n%s %s\n",
				v.Version, v.Module, v.Commit, v.Go, v.Platform)
			return err
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

// version says what was built, from what the go command records in the program.
type version struct {
	Version  string `json:"version"`
	Module   string `json:"module"` // the module's version as the go command sees it, "(devel)" if it sees none
	Commit   string `json:"commit"` // with "+changes" if the tree was not clean, "unknown" outside a repository
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func buildVersion() version {
	v := version{
		Version: hongyan.Release, Module: "(devel)", Commit: "unknown",
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Module = cmp.Or(info.Main.Version, v.Module)
	changed := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			changed = s.Value == "true"
		}
	}
	if changed {
		v.Commit += "+changes"
	}
	return v
}

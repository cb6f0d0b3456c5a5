package main

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/internal/terminal"
)

func devicesCommand() *cobra.Command {
	return family("devices", "Manage the devices of one's account", devicesListCommand(), devicesAdmitCommand(),
		devicesKickCommand(), devicesWebWXCommand())
}

func devicesListCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the devices of one's account",
		Example: "  hongyan devices list --profile A",
		Args:    cobra.NoArgs,
	}
	p := profileFlag(c)
	jsonFlag(c, &asJSON)
	c.RunE = p.asDevice(func(c *cobra.Command, cl *client.Client, _ []string) error {
		list, err := cl.Devices(c.Context())
		if err != nil {
			return err
		}
		rows := make([][]string, len(list))
		for i, d := range list {
			current := d.ID == cl.Device()
			if asJSON {
				if err := printJSON(c.OutOrStdout(), newDeviceLine("device", &d, current)); err != nil {
					return err
				}
				continue
			}
			seen := "never"
			if d.LastSeenMS != 0 {
				seen = time.UnixMilli(d.LastSeenMS).Format(time.DateTime)
			}
			note := ""
			if current {
				note = " (this one)"
			}
			rows[i] = []string{id(d.ID), classNames[d.Class], seen, d.Name + note}
		}
		if asJSON {
			return nil
		}
		return printTable(c.OutOrStdout(), []string{"DEVICE", "CLASS", "LAST SEEN", "NAME"}, rows)
	})
	return c
}

func devicesKickCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "kick DEVICE",
		Short:   "End another device of one's account",
		Example: "  hongyan devices kick 4202131518453",
		Args:    cobra.ExactArgs(1),
	}
	c.RunE = profileFlag(c).asDevice(func(c *cobra.Command, cl *client.Client, args []string) error {
		n, err := strconv.ParseUint(args[0], 10, 63)
		if err != nil {
			return wrongUse(c, fmt.Errorf("%q is no device: hongyan devices list shows their numbers", args[0]))
		}
		if err := cl.Kick(c.Context(), hongyan.DeviceID(n)); err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "ended device %d\n", n)
		return err
	})
	return c
}

func devicesAdmitCommand() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "admit CODE",
		Short: "Let another device into one's account, by the code that it shows",
		Long: `Let another device into one's account: a browser, or a program, that shows a QR code to log in by. The code is what
the QR code ends with; the whole address that it holds will do too.`,
		Example: "  hongyan devices admit http://127.0.0.1:7878/#/login/kQ2tQzq8yVb7m0a5w3mZcg",
		Args:    cobra.ExactArgs(1),
	}
	p := profileFlag(c)
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.RunE = p.asDevice(func(c *cobra.Command, cl *client.Client, args []string) error {
		code := args[0][strings.LastIndexByte(args[0], '/')+1:]
		who, err := cl.ReadLogin(c.Context(), code)
		if err != nil {
			return err
		}
		told := fmt.Sprintf("%s (%s), from %s", terminal.OneLine(who.Device.Name), classNames[who.Device.Class], who.Address)
		if !yes {
			fmt.Fprintf(c.ErrOrStderr(), "Let %s into the account? [y/N] ", told)
			answer, _ := bufio.NewReader(io.LimitReader(c.InOrStdin(), 16)).ReadString('\n')
			yes = strings.EqualFold(strings.TrimSpace(answer), "y")
		}
		if err := cl.AnswerLogin(c.Context(), code, yes); err != nil {
			return err
		}
		verdict := "let in"
		if !yes {
			verdict = "declined"
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %s\n", verdict, told)
		return err
	})
	return c
}

func devicesWebWXCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "webwx on|off",
		Short: "Let programs of the Web WeChat protocol into one's account, or keep them out",
		Long: `Let programs that speak the Web WeChat protocol into one's account, or keep them out, those too that are in now. Without
this, they are let in if the server takes them at all.`,
		Example:   "  hongyan devices webwx off",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"on", "off"},
	}
	c.RunE = profileFlag(c).asDevice(func(c *cobra.Command, cl *client.Client, args []string) error {
		setting := hongyan.Setting{Name: "webwx"} // an empty value lets them in
		if args[0] == "off" {
			setting.Value = []byte(args[0])
		}
		if err := cl.SetSetting(c.Context(), setting); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.OutOrStdout(), "programs of the Web WeChat protocol: %s\n", args[0])
		return err
	})
	return c
}

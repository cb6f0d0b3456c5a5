package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

func devicesCommand() *cobra.Command {
	return family("devices", "Manage the devices of one's account", devicesListCommand(), devicesKickCommand())
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

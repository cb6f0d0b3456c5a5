// Package terminal is the chat for the terminal.
package terminal

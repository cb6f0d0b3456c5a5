package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/hongyan-im/hongyan"
)

// The files of a profile. Each database has the process id of its holder beside it; docs/decisions/client-store.md says
// why there are two.
const (
	credentialsFile = "credentials.json"
	networkFile     = "network.json" // what is known of the ways to the server
	stateFile       = "state.db"
	outboxFile      = "outbox.db"
	pidSuffix       = ".pid"
)

// LockedError says that another process, or another Client of this one, holds a part of a profile that one alone may
// hold.
type LockedError struct {
	Path string // the file
	PID  int    // of the holder, 0 if it is unknown
}

func (e *LockedError) Error() string {
	holder := "another process"
	switch {
	case e.PID == os.Getpid():
		holder = "another part of this process"
	case e.PID != 0:
		holder = fmt.Sprintf("process %d", e.PID)
	}
	if filepath.Base(e.Path) == outboxFile {
		return fmt.Sprintf("%s is sending from %s: try again when it has finished", holder, e.Path)
	}
	return fmt.Sprintf("%s is keeping %s: end it first, or use a profile in another directory", holder, e.Path)
}

// credentials is what a device needs to say who it is.
type credentials struct {
	Server      string           `json:"server"` // as given to Dial
	User        hongyan.UserID   `json:"user"`
	Name        string           `json:"name"`
	Device      hongyan.DeviceID `json:"device,string"`
	DeviceToken string           `json:"device_token"`
	Secure      bool             `json:"secure,omitempty"` // the server has demanded TLS
	Pin         string           `json:"pin,omitempty"`    // fingerprint of its certificate
}

// loadCredentials reads the credentials of a profile. Without any the error is fs.ErrNotExist.
func loadCredentials(dir string) (credentials, error) {
	var c credentials
	path := filepath.Join(dir, credentialsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	if c.Server == "" || c.User == 0 || c.DeviceToken == "" {
		return c, fmt.Errorf("%s is incomplete: log in again", path)
	}
	return c, nil
}

// save replaces the credentials of a profile, and makes the directory if it is not there.
func (c credentials) save(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, credentialsFile), c)
}

// writeJSON replaces a file of a profile, all or nothing.
func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(text, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// openDatabase opens a database of the profile, creates it if it is not there, and becomes its only holder until it is
// closed. If it still has another holder after wait, the error is a *LockedError.
func openDatabase(path string, wait time.Duration) (*bbolt.DB, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := createDatabase(path); err != nil {
			return nil, err
		}
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: max(wait, 1)}) // 0 would be for ever
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, &LockedError{Path: path, PID: readPID(path)}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	// Who holds the lock decides; the file is for the message that others show.
	if err := os.WriteFile(path+pidSuffix, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// createDatabase makes an empty database under another name first, so that a process that is killed leaves no half-made
// one, and two processes that create it together get the same.
func createDatabase(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	f.Close()
	defer os.Remove(f.Name())
	db, err := bbolt.Open(f.Name(), 0o600, nil)
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

// readPID returns the process that last opened a database, 0 if that is not known.
func readPID(path string) int {
	text, err := os.ReadFile(path + pidSuffix)
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// syncDir makes names that were created in dir survive a power cut, where the system lets it.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

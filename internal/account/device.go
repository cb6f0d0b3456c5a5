package account

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

func (d NewDevice) check() error {
	switch {
	case d.Class < hongyan.ClassPhone || d.Class > hongyan.ClassCLI:
		return hongyan.Errorf(hongyan.Invalid, "there is no device class %d", d.Class).
			WithHint("say what the device is: phone, tablet, desktop, web, bot or cli")
	case !utf8.ValidString(d.Name) || utf8.RuneCountInString(d.Name) > MaxDeviceName || strings.ContainsFunc(d.Name, unicode.IsControl):
		return hongyan.Errorf(hongyan.Invalid, "a device's name has at most %d printable characters", MaxDeviceName)
	}
	return nil
}

// network is how the address of a login is kept, to know the next one from there; empty for the operator's socket.
func network(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return auth.Network(addr).String()
}

// addDevice makes a device of u with a new token, or takes the device old over. Devices that the policy ends are ended.
func (s *Service) addDevice(tx *inbox.Tx, u hongyan.UserID, a *store.Account, n NewDevice, addr netip.Addr, old *store.Device) (Identity, error) {
	list, err := store.DeviceLists.Get(tx, u)
	if err != nil {
		return Identity{}, err
	}
	var d store.Devices
	if list != nil {
		d.List = slices.Clone(list.List)
	}
	dev := store.Device{CreatedMS: tx.NowMS()}
	var ended []store.Device
	if old != nil {
		dev = *old
		d.List = slices.DeleteFunc(d.List, func(o store.Device) bool { return o.ID == old.ID })
		ended = append(ended, *old) // who holds its old token is not the device any more
	} else {
		id, err := store.RandomID(s.config.Random)
		if err != nil {
			return Identity{}, err
		}
		dev.ID = hongyan.DeviceID(id)
	}
	token, err := auth.NewDeviceToken(s.config.Random, uint64(u), uint64(dev.ID))
	if err != nil {
		return Identity{}, err
	}
	hash := token.Hash()
	dev.Name, dev.Class, dev.SeenMS, dev.Token = n.Name, n.Class, tx.NowMS(), hash[:]
	dev.Network = network(addr)
	dev.Epoch++

	if s.config.OnePerClass {
		d.List = slices.DeleteFunc(d.List, func(o store.Device) bool {
			if o.Class == n.Class {
				ended = append(ended, o)
			}
			return o.Class == n.Class
		})
	}
	if len(d.List) >= s.config.MaxDevices {
		return Identity{}, hongyan.Errorf(hongyan.TooMany, "the account has %d devices, which is the limit", len(d.List)).
			WithHint("log one of them out first")
	}
	d.List = append(d.List, dev)
	for _, o := range ended {
		if o.ID != dev.ID {
			store.Cursors.Delete(tx.Tx, store.Holder{User: u, Device: o.ID})
		}
		tx.AfterDurable(func() { s.config.Ended(u, o.ID, o.Epoch, Replaced) })
	}
	if err := putDevices(tx, u, &d); err != nil {
		return Identity{}, err
	}
	return Identity{
		User: u, Name: a.Name, Device: dev.ID, Epoch: dev.Epoch, DeviceToken: token.Reveal(), Head: tx.Newest(),
	}, nil
}

// putDevices writes u's device list and tells u's devices.
func putDevices(tx *inbox.Tx, u hongyan.UserID, d *store.Devices) error {
	store.DeviceLists.Put(tx.Tx, u, d)
	public := d.Public()
	return tx.SetItem(u, hongyan.TypeSetting, []byte{store.ItemDevices}, &hongyan.Change{Devices: &public})
}

func sameToken(d *store.Device, t auth.DeviceToken) bool {
	var kept auth.TokenHash
	copy(kept[:], d.Token)
	return t.Hash().Equal(kept)
}

// Authenticate says who holds a token: a device token, a ticket or a server API key. It never touches passwords.
func (s *Service) Authenticate(p Peer, token string, done func(Identity, error)) {
	if strings.HasPrefix(token, auth.APIKeyPrefix) {
		s.authenticateKey(token, done)
		return
	}
	var user hongyan.UserID
	var accepts func(d *store.Devices) *store.Device
	if strings.HasPrefix(token, auth.DeviceTokenPrefix) {
		t, err := auth.ParseDeviceToken(token)
		if err != nil {
			done(Identity{}, badToken(err))
			return
		}
		user = hongyan.UserID(t.Account)
		accepts = func(d *store.Devices) *store.Device {
			if dev := d.Find(hongyan.DeviceID(t.Device)); dev != nil && sameToken(dev, t) {
				return dev
			}
			return nil
		}
	} else {
		t, err := s.config.Keys.Verify(s.config.Now(), token)
		if err != nil {
			done(Identity{}, badToken(err))
			return
		}
		user = hongyan.UserID(t.Account)
		accepts = func(d *store.Devices) *store.Device {
			if dev := d.Find(hongyan.DeviceID(t.Device)); dev != nil && dev.Epoch == t.Epoch {
				return dev
			}
			return nil
		}
	}
	inbox.Look(s.shard, inbox.Nobody, func(r *inbox.Read) (Identity, error) {
		d, err := store.DeviceLists.Get(r, user)
		if err != nil {
			return Identity{}, err
		}
		dev := accepts(d)
		if dev == nil {
			return Identity{}, revoked
		}
		a, err := store.Accounts.Get(r, user)
		if err != nil {
			return Identity{}, err
		}
		if a == nil || a.Disabled {
			return Identity{}, revoked
		}
		head, err := r.Head(user)
		if err != nil {
			return Identity{}, err
		}
		s.noteSeen(user, *dev, p.Addr)
		return Identity{User: user, Name: a.Name, Device: dev.ID, Epoch: dev.Epoch, Head: head}, nil
	}, s.ticketed(done))
}

var revoked = hongyan.Errorf(hongyan.Revoked, "the device was logged out, or its token replaced").
	WithHint("log in again by password")

func badToken(err error) error {
	if errors.Is(err, auth.ErrExpired) || errors.Is(err, auth.ErrUnknownKey) {
		return hongyan.Errorf(hongyan.TokenExpired, "the ticket has expired").WithHint("use the device token")
	}
	return hongyan.Errorf(hongyan.Unauthenticated, "this is no valid token").
		WithHint("a token begins with hyd_ (device), hya_ (ticket) or hyk_ (server API key) and is given whole")
}

func (s *Service) authenticateKey(token string, done func(Identity, error)) {
	k, err := auth.ParseAPIKey(token)
	if err != nil {
		done(Identity{}, badToken(err))
		return
	}
	inbox.Look(s.shard, inbox.Nobody, func(r *inbox.Read) (Identity, error) {
		kept, err := store.APIKeys.Get(r, k.ID)
		if err != nil {
			return Identity{}, err
		}
		var hash auth.TokenHash
		if kept != nil {
			copy(hash[:], kept.Hash)
		}
		if kept == nil || !k.Hash().Equal(hash) {
			return Identity{}, hongyan.Errorf(hongyan.Revoked, "there is no such server API key").
				WithHint("make one with: hongyan key create")
		}
		return Identity{Name: kept.Name, Operator: true}, nil
	}, done)
}

// noteSeen notes from time to time that a device is in use, and from where.
func (s *Service) noteSeen(u hongyan.UserID, dev store.Device, addr netip.Addr) {
	if s.config.Now().UnixMilli()-dev.SeenMS < seenEvery.Milliseconds() {
		return
	}
	inbox.Change(s.shard, func(tx *inbox.Tx) (struct{}, error) {
		list, err := store.DeviceLists.Get(tx, u)
		if err != nil || list.Find(dev.ID) == nil {
			return struct{}{}, err
		}
		d := store.Devices{List: slices.Clone(list.List)}
		seen := d.Find(dev.ID)
		seen.SeenMS, seen.Network = tx.NowMS(), network(addr)
		store.DeviceLists.Put(tx.Tx, u, &d)
		return struct{}{}, nil
	}, func(struct{}, error) {})
}

// Devices lists an account's devices.
func (s *Service) Devices(u hongyan.UserID, done func(hongyan.Devices, error)) {
	inbox.Look(s.shard, u, func(r *inbox.Read) (hongyan.Devices, error) {
		d, err := store.DeviceLists.Get(r, u)
		if err != nil || d == nil {
			return hongyan.Devices{}, err
		}
		return d.Public(), nil
	}, done)
}

// Logout ends the device that asks.
func (s *Service) Logout(u hongyan.UserID, device hongyan.DeviceID, done func(error)) {
	s.end(u, device, device, LoggedOut, done)
}

// Kick ends a device of the account at the request of another.
func (s *Service) Kick(u hongyan.UserID, by, device hongyan.DeviceID, done func(error)) {
	s.end(u, by, device, Kicked, done)
}

// end takes a device away: its tokens and tickets are void from then on.
func (s *Service) end(u hongyan.UserID, by, device hongyan.DeviceID, why EndReason, done func(error)) {
	inbox.Change(s.shard, func(tx *inbox.Tx) (struct{}, error) {
		d, err := store.DeviceLists.Get(tx, u)
		if err != nil {
			return struct{}{}, err
		}
		switch {
		case d.Find(by) == nil:
			return struct{}{}, revoked
		case d.Find(device) == nil:
			return struct{}{}, hongyan.Errorf(hongyan.NotFound, "there is no device %d", device)
		}
		return struct{}{}, s.endDevices(tx, u, d, why, func(o hongyan.DeviceID) bool { return o == device })
	}, func(_ struct{}, err error) { done(err) })
}

// endDevices takes the devices that match away.
func (s *Service) endDevices(tx *inbox.Tx, u hongyan.UserID, d *store.Devices, why EndReason, match func(hongyan.DeviceID) bool) error {
	if d == nil {
		return nil
	}
	var left store.Devices
	for _, dev := range d.List {
		if !match(dev.ID) {
			left.List = append(left.List, dev)
			continue
		}
		store.Cursors.Delete(tx.Tx, store.Holder{User: u, Device: dev.ID})
		tx.AfterDurable(func() { s.config.Ended(u, dev.ID, dev.Epoch, why) })
	}
	if len(left.List) == len(d.List) {
		return nil
	}
	return putDevices(tx, u, &left)
}

func throttled(wait time.Duration) error {
	return hongyan.Errorf(hongyan.Throttled, "too many attempts").WithHint("wait before the next").WithRetryAfter(wait)
}

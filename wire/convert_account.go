package wire

import (
	"errors"
	"math"
	"strings"

	"github.com/hongyan-im/hongyan"
	pb "github.com/hongyan-im/hongyan/proto/hongyan/v1"
)

// FromProfile makes the body of a profile.
func FromProfile(p hongyan.Profile) *Profile {
	return &Profile{User: uint64(p.User), Name: p.Name, DisplayName: p.DisplayName, Avatar: p.Avatar, Bio: p.Bio}
}

// ToProfile reads a profile.
func ToProfile(b *Profile) (hongyan.Profile, error) {
	if b == nil {
		return hongyan.Profile{}, missing("profile")
	}
	return hongyan.Profile{
		User: hongyan.UserID(b.User), Name: b.Name, DisplayName: b.DisplayName, Avatar: b.Avatar, Bio: b.Bio,
	}, nil
}

// FromContact makes the body of a contact.
func FromContact(c hongyan.Contact) *Contact {
	return &Contact{
		Profile:   FromProfile(c.Profile),
		State:     pb.Contact_State(c.State),
		Blocked:   c.Blocked,
		Remark:    c.Remark,
		Note:      c.Note,
		UpdatedMs: c.UpdatedMS,
	}
}

// ToContact reads a contact.
func ToContact(b *Contact) (hongyan.Contact, error) {
	var c hongyan.Contact
	var err error
	if b == nil {
		return c, missing("contact")
	}
	c = hongyan.Contact{Blocked: b.Blocked, Remark: b.Remark, Note: b.Note, UpdatedMS: b.UpdatedMs}
	if c.Profile, err = part("profile", ToProfile, b.Profile); err != nil {
		return c, err
	}
	c.State, err = toEnum("state", b.State, hongyan.ContactNone, hongyan.ContactAccepted)
	return c, err
}

// FromDevice makes the body of a device.
func FromDevice(d hongyan.Device) *Device {
	return &Device{
		Id:         uint64(d.ID),
		Name:       d.Name,
		Class:      pb.Device_Class(d.Class),
		CreatedMs:  d.CreatedMS,
		LastSeenMs: d.LastSeenMS,
	}
}

// ToDevice reads a device. The class may be unset, and then is zero.
func ToDevice(b *Device) (hongyan.Device, error) {
	if b == nil {
		return hongyan.Device{}, missing("device")
	}
	class, err := toEnum("class", b.Class, 0, hongyan.ClassCLI)
	return hongyan.Device{
		ID:         hongyan.DeviceID(b.Id),
		Name:       b.Name,
		Class:      class,
		CreatedMS:  b.CreatedMs,
		LastSeenMS: b.LastSeenMs,
	}, err
}

// FromDevices makes the body of a device list.
func FromDevices(d hongyan.Devices) *Devices { return &Devices{Devices: FromAll(FromDevice, d.List)} }

// ToDevices reads a device list.
func ToDevices(b *Devices) (hongyan.Devices, error) {
	if b == nil {
		return hongyan.Devices{}, missing("devices")
	}
	list, err := ToAll("devices", ToDevice, b.Devices)
	return hongyan.Devices{List: list}, err
}

// FromSetting makes the body of a setting.
func FromSetting(s hongyan.Setting) *Setting { return &Setting{Name: s.Name, Value: s.Value} }

// ToSetting reads a setting.
func ToSetting(b *Setting) (hongyan.Setting, error) {
	if b == nil {
		return hongyan.Setting{}, missing("setting")
	}
	return hongyan.Setting{Name: b.Name, Value: b.Value}, nil
}

// FromError makes the body that tells a peer why its request of operation op was refused. What is in an error that is
// no *hongyan.Error is not for peers: it becomes a bare Internal.
func FromError(op Op, err error) *ErrorBody {
	var e *hongyan.Error
	if !errors.As(err, &e) {
		e = hongyan.Errorf(hongyan.Internal, "the server failed").WithHint("try again later")
	}
	return &ErrorBody{
		Code: pb.Code(e.Code),
		// A refusal may quote what came in, and what is not UTF-8 cannot go out.
		Message:      strings.ToValidUTF8(e.Message, "\uFFFD"),
		Hint:         strings.ToValidUTF8(e.Hint, "\uFFFD"),
		RetryAfterMs: uint32(min(max(e.RetryAfter.Milliseconds(), 0), math.MaxUint32)),
		Operation:    uint32(op),
	}
}

// ToError reads a refusal. A code that this version does not know keeps its number.
func ToError(b *ErrorBody) *hongyan.Error {
	code := b.GetCode()
	if code <= 0 || code > math.MaxUint16 {
		code = pb.Code_INTERNAL
	}
	e := &hongyan.Error{Code: hongyan.Code(code), Message: b.GetMessage(), Hint: b.GetHint()}
	setMillis(&e.RetryAfter, b.GetRetryAfterMs())
	return e
}

// setMillis sets a duration without importing the package that also has the clock.
func setMillis[D ~int64](d *D, ms uint32) { *d = D(ms) * 1e6 }

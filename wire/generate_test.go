package wire

import (
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
)

// generator makes random words of package hongyan. It fills every field it finds, so that a field that a conversion
// forgets fails the round trip.
type generator struct{ *rand.Rand }

// newGenerator seeds a generator from HONGYAN_SEED, or from the clock, and says how to repeat the run.
func newGenerator(t testing.TB) generator {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("HONGYAN_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("repeat with HONGYAN_SEED=%d", seed)
	return generator{rand.New(rand.NewPCG(seed, 0))}
}

// enums holds the first and last value of each enumeration as it may stand in a word that is sent.
var enums = map[reflect.Type][2]uint64{
	reflect.TypeFor[hongyan.Kind]():         {uint64(hongyan.KindText), uint64(hongyan.KindNotice)},
	reflect.TypeFor[hongyan.NoticeEvent]():  {uint64(hongyan.NoticeCreated), uint64(hongyan.NoticeDissolved)},
	reflect.TypeFor[hongyan.MessageState](): {uint64(hongyan.Present), uint64(hongyan.Expired)},
	reflect.TypeFor[hongyan.ContactState](): {uint64(hongyan.ContactNone), uint64(hongyan.ContactAccepted)},
	reflect.TypeFor[hongyan.Role]():         {0, uint64(hongyan.RoleOwner)},
	reflect.TypeFor[hongyan.JoinPolicy]():   {0, uint64(hongyan.JoinByLink)},
	reflect.TypeFor[hongyan.DeviceClass]():  {0, uint64(hongyan.ClassCLI)},
}

// value makes a random value of t.
func (g generator) value(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	g.fill(v)
	return v
}

func (g generator) fill(v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *hongyan.ConversationID:
		if g.IntN(2) == 0 {
			*p = hongyan.GroupConversation(hongyan.GroupID(1 + g.number()/2))
		} else {
			*p = hongyan.Direct(hongyan.UserID(1+g.number()/2), hongyan.UserID(1+g.number()/2))
		}
		return
	case *hongyan.Content:
		g.fields(v)
		p.Media, p.Location, p.Custom, p.Notice = nil, nil, nil, nil
		switch p.Kind {
		case hongyan.KindImage, hongyan.KindVoice, hongyan.KindVideo, hongyan.KindFile:
			p.Media = &hongyan.Media{}
			g.fill(reflect.ValueOf(p.Media).Elem())
		case hongyan.KindLocation:
			p.Location = &hongyan.Location{}
			g.fill(reflect.ValueOf(p.Location).Elem())
		case hongyan.KindCustom:
			p.Custom = &hongyan.Custom{}
			g.fill(reflect.ValueOf(p.Custom).Elem())
		case hongyan.KindNotice:
			p.Notice = &hongyan.Notice{}
			g.fill(reflect.ValueOf(p.Notice).Elem())
		}
		return
	case *hongyan.Message:
		g.fields(v)
		if p.State != hongyan.Present {
			p.Content = hongyan.Content{}
		}
		return
	case *hongyan.Change:
		p.Version = hongyan.Version(g.number())
		what := v.Field(1 + g.IntN(v.NumField()-1))
		what.Set(reflect.New(what.Type().Elem()))
		g.fill(what.Elem())
		return
	}
	if r, ok := enums[v.Type()]; ok {
		v.SetUint(r[0] + g.Uint64N(r[1]-r[0]+1))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		g.fields(v)
	case reflect.Pointer:
		if g.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			g.fill(v.Elem())
		}
	case reflect.Slice:
		if n := g.IntN(4); n > 0 { // an empty list travels as none
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			g.elements(v)
		}
	case reflect.Array:
		g.elements(v)
	case reflect.String:
		v.SetString(g.text())
	case reflect.Bool:
		v.SetBool(g.IntN(2) == 0)
	case reflect.Float64:
		v.SetFloat(g.NormFloat64() * 90)
	case reflect.Int: // counts, which are uint32 on the wire
		v.SetInt(int64(g.Uint32()))
	case reflect.Int64:
		v.SetInt(int64(g.number()))
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(g.number() & (1<<v.Type().Bits() - 1))
	default:
		panic("no random values of " + v.Type().String())
	}
}

func (g generator) fields(v reflect.Value) {
	for i := range v.NumField() {
		g.fill(v.Field(i))
	}
}

func (g generator) elements(v reflect.Value) {
	for i := range v.Len() {
		g.fill(v.Index(i))
	}
}

// number is of any magnitude, and often zero.
func (g generator) number() uint64 { return g.Uint64() >> g.IntN(65) }

func (g generator) text() string {
	letters := []rune("a ü雁🪿\x00\"")
	s := make([]rune, g.IntN(8))
	for i := range s {
		s[i] = letters[g.IntN(len(letters))]
	}
	return string(s)
}

package store

import (
	"bufio"
	"cmp"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
)

var update = flag.Bool("update", false, "add the numbers of new fields to testdata/records.golden")

// records are the types of everything that is stored as CBOR.
var records = []reflect.Type{
	reflect.TypeFor[Account](), reflect.TypeFor[Devices](), reflect.TypeFor[Contact](), reflect.TypeFor[Group](),
	reflect.TypeFor[ConversationView](), reflect.TypeFor[Conversation](), reflect.TypeFor[Cursor](),
	reflect.TypeFor[TrimLine](), reflect.TypeFor[APIKey](), reflect.TypeFor[Invitation](), reflect.TypeFor[body](),
}

// numbered is a field as the golden file has it: "Type number Name kind". A number whose field was removed stays there
// under the name unused.
type numbered struct {
	of   string
	n    int
	rest string
}

func (f numbered) String() string { return fmt.Sprintf("%s %d %s", f.of, f.n, f.rest) }

// fields lists the fields of the struct types within t.
func fields(t *testing.T, typ reflect.Type, seen map[reflect.Type]bool) (list []numbered) {
	t.Helper()
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return fields(t, typ.Elem(), seen)
	case reflect.Struct:
	default:
		return nil
	}
	if seen[typ] || typ == reflect.TypeFor[hongyan.ConversationID]() { // which writes itself
		return nil
	}
	seen[typ] = true
	for i := range typ.NumField() {
		f := typ.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("cbor"), ",")
		n, err := strconv.Atoi(tag)
		if err != nil || !strings.Contains(","+options+",", ",keyasint,") {
			t.Errorf("%s.%s has no number: %q", typ.Name(), f.Name, f.Tag)
		}
		list = append(list, numbered{typ.Name(), n, f.Name + " " + kindOf(f.Type)})
		list = append(list, fields(t, f.Type, seen)...)
	}
	return list
}

// kindOf is what the bytes of a field depend on.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return kindOf(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "list of " + kindOf(t.Elem())
	case reflect.Struct:
		return t.Name()
	}
	return t.Kind().String()
}

// TestRecordNumbers compares the numbers of all fields with those that are on disks.
func TestRecordNumbers(t *testing.T) {
	const path = "testdata/records.golden"
	var now []numbered
	seen := map[reflect.Type]bool{}
	for _, typ := range records {
		now = append(now, fields(t, typ, seen)...)
	}
	slices.SortFunc(now, func(a, b numbered) int {
		return cmp.Or(strings.Compare(a.of, b.of), a.n-b.n)
	})
	for i := 1; i < len(now); i++ {
		if now[i].of == now[i-1].of && now[i].n == now[i-1].n {
			t.Errorf("%s has two fields number %d", now[i].of, now[i].n)
		}
	}
	golden := readGolden(t, path)
	for _, f := range now {
		key := fmt.Sprint(f.of, " ", f.n)
		switch was, known := golden[key]; {
		case !known && *update:
			golden[key] = f.rest
		case !known:
			t.Errorf("%v is new: run go test -update in this folder", f)
		case was != f.rest:
			t.Errorf("%v was %q: records on disks say so; give the field another number", f, was)
		}
		if golden[key] == f.rest {
			delete(golden, key)
		}
	}
	for key, rest := range golden {
		if rest != "unused" {
			t.Errorf("%s %s is gone: write %q over its name, so that nobody gives the number again", key, rest, "unused")
		}
	}
	if *update && !t.Failed() {
		var b strings.Builder
		for _, f := range now {
			fmt.Fprintln(&b, f)
		}
		for key, rest := range golden {
			fmt.Fprintln(&b, key, rest)
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSenderIsPartOfABody makes sure that what counting reads is what is written.
func TestSenderIsPartOfABody(t *testing.T) {
	t.Parallel()
	whole := fields(t, reflect.TypeFor[body](), map[reflect.Type]bool{})
	for _, f := range fields(t, reflect.TypeFor[sender](), map[reflect.Type]bool{}) {
		if f.of = "body"; !slices.Contains(whole, f) {
			t.Errorf("a body has no field %v", f)
		}
	}
}

// readGolden returns what stands behind "Type number" in each line.
func readGolden(t *testing.T, path string) map[string]string {
	t.Helper()
	golden := map[string]string{}
	f, err := os.Open(path)
	if os.IsNotExist(err) && *update {
		return golden
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.SplitN(lines.Text(), " ", 3)
		if len(words) < 3 {
			t.Fatalf("%s: %q", path, lines.Text())
		}
		golden[words[0]+" "+words[1]] = words[2]
	}
	return golden
}

// fill sets v and all within it to something.
func fill(r *rand.Rand, v reflect.Value) {
	if c, ok := v.Addr().Interface().(*hongyan.ConversationID); ok {
		*c = hongyan.Direct(hongyan.UserID(1+r.Uint64()>>1), hongyan.UserID(1+r.Uint64()>>1))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+r.IntN(4), 4))
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.String:
		v.SetString([]string{"text", "鸿雁", "\x00", strings.Repeat("long", 99)}[r.IntN(4)])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(r.NormFloat64())
	case reflect.Int, reflect.Int64:
		v.SetInt([]int64{1, -1, math.MaxInt64, math.MinInt64, r.Int64()}[r.IntN(5)])
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint([]uint64{1, math.MaxUint64, r.Uint64()}[r.IntN(3)] >> (64 - v.Type().Bits()))
	default:
		panic("a record with a " + v.Kind().String())
	}
}

func TestRecordsRoundTrip(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	for _, typ := range records {
		for range 200 {
			in, out := reflect.New(typ), reflect.New(typ)
			fill(r, in.Elem())
			raw := Encode(in.Interface())
			if err := Decode(raw, out.Interface()); err != nil || !reflect.DeepEqual(in.Interface(), out.Interface()) {
				t.Fatalf("%s: %+v\nis read back as %+v, %v", typ.Name(), in.Elem(), out.Elem(), err)
			}
			if again := Encode(out.Interface()); string(again) != string(raw) {
				t.Fatalf("%s: %+v is written differently the second time", typ.Name(), in.Elem())
			}
		}
		// One without anything, as the first of its kind may be.
		out := reflect.New(typ)
		if err := Decode(Encode(reflect.New(typ).Interface()), out.Interface()); err != nil || !out.Elem().IsZero() {
			t.Errorf("the empty %s is read back as %+v, %v", typ.Name(), out.Elem(), err)
		}
	}
}

// TestLaterRecords reads a record with a field of a later version of the program.
func TestLaterRecords(t *testing.T) {
	t.Parallel()
	raw := Encode(map[int]any{1: 7, 99: map[string]any{"new": []int{1}}})
	var c Cursor
	if err := Decode(raw, &c); err != nil || c.Version != 7 {
		t.Errorf("read as %+v, %v", c, err)
	}
}

// FuzzRecords decodes anything as every record: an error, or a record that can be written and read again.
func FuzzRecords(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for i, typ := range records {
		v := reflect.New(typ)
		fill(r, v.Elem())
		f.Add(uint8(i), Encode(v.Interface()))
	}
	f.Add(uint8(0), []byte{0xbf})
	f.Add(uint8(1), []byte{0xa1, 1, 0x9a, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, i uint8, raw []byte) {
		typ := records[int(i)%len(records)]
		v, again := reflect.New(typ), reflect.New(typ)
		if Decode(raw, v.Interface()) != nil {
			return
		}
		if err := Decode(Encode(v.Interface()), again.Interface()); err != nil {
			t.Fatalf("%s %+v cannot be read back: %v", typ.Name(), v.Elem(), err)
		}
	})
}

package wire

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/hongyan-im/hongyan/proto/hongyan/v1"
)

// TestDocumentedOperations compares the table of docs/PROTOCOL.md with Operations.
func TestDocumentedOperations(t *testing.T) {
	t.Parallel()
	want := [][]string{}
	who := map[Access]string{Anyone: "anyone", User: "device", Operator: "operator"}
	for _, o := range Operations {
		want = append(want, []string{
			strconv.Itoa(int(o.Op)), o.Name, who[o.Access], nameOf(o.NewRequest), nameOf(o.NewReply),
		})
	}
	got := [][]string{}
	for _, row := range tableOf(t, "Operations") {
		if len(row) != 6 || row[5] == "" {
			t.Errorf("row %q does not say in six columns what the operation is", row)
			continue
		}
		got = append(got, row[:5])
	}
	compareRows(t, got, want)
}

// TestDocumentedCodes compares the tables of errors and close frames with the schema.
func TestDocumentedCodes(t *testing.T) {
	t.Parallel()
	for heading, enum := range map[string]protoreflect.EnumDescriptor{
		"Errors":       pb.Code(0).Descriptor(),
		"Close frames": CloseReason(0).Descriptor(),
		"Reset":        ResetReason(0).Descriptor(),
	} {
		want := [][]string{}
		for i := range enum.Values().Len() {
			if v := enum.Values().Get(i); v.Number() != 0 {
				want = append(want, []string{strconv.Itoa(int(v.Number())), string(v.Name())})
			}
		}
		got := [][]string{}
		for _, row := range tableOf(t, heading) {
			got = append(got, row[:2])
		}
		compareRows(t, got, want)
	}
}

func compareRows(t *testing.T, got, want [][]string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		var g, w []string
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if !slices.Equal(g, w) {
			t.Errorf("row %d is %q, want %q", i+1, g, w)
		}
	}
}

const protocolFile = "../docs/PROTOCOL.md"

// tableOf returns the cells of the first table below a heading of docs/PROTOCOL.md, without backquotes and without
// the table's head.
func tableOf(t *testing.T, heading string) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile(protocolFile)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "# "+heading+"\n")
	if !found {
		t.Fatalf("there is no section %q", heading)
	}
	for line := range strings.Lines(section) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			if len(rows) > 0 {
				break
			}
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.ReplaceAll(strings.TrimSpace(cells[i]), "`", "")
		}
		rows = append(rows, cells)
	}
	if len(rows) < 3 {
		t.Fatalf("there is no table in the section %q", heading)
	}
	return rows[2:] // the head and the line below it
}

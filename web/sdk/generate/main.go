// Generate writes the TypeScript types of the schema, and the tables by which the SDK's codec reads and writes them.
//
//	generate SCHEMA DIR
//
// SCHEMA is the FileDescriptorSet of proto/ with source information, DIR the folder of types.ts and table.ts.
package main

import (
	"bytes"
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/hongyan-im/hongyan/wire"
)

const header = "// Generated from proto/hongyan/v1 by scripts/generate. Do not edit.\n\n"

func main() {
	if len(os.Args) != 3 {
		os.Stderr.WriteString("usage: generate SCHEMA DIR\n")
		os.Exit(2)
	}
	if err := generate(os.Args[1], os.Args[2]); err != nil {
		slog.Error("generate", "error", err)
		os.Exit(1)
	}
}

func generate(schema, dir string) error {
	raw, err := os.ReadFile(schema)
	if err != nil {
		return err
	}
	set := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(raw, set); err != nil {
		return err
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return err
	}
	var s source
	files.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		s.add(f.Messages(), f.Enums())
		return true
	})
	slices.SortFunc(s.messages, byName)
	slices.SortFunc(s.enums, byName)
	types, err := s.types()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "types.ts"), types, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "table.ts"), s.table(), 0o644)
}

// source is everything that the schema declares.
type source struct {
	messages []protoreflect.MessageDescriptor
	enums    []protoreflect.EnumDescriptor
}

func byName[D protoreflect.Descriptor](a, b D) int { return cmp.Compare(name(a), name(b)) }

func (s *source) add(messages protoreflect.MessageDescriptors, enums protoreflect.EnumDescriptors) {
	for i := range enums.Len() {
		s.enums = append(s.enums, enums.Get(i))
	}
	for i := range messages.Len() {
		m := messages.Get(i)
		s.messages = append(s.messages, m)
		s.add(m.Messages(), m.Enums())
	}
}

// name is that of a type in TypeScript, where Error and Location would shadow what everybody knows by these names.
func name(d protoreflect.Descriptor) string {
	full := strings.TrimPrefix(string(d.FullName()), "hongyan.v1.")
	switch full {
	case "Error":
		return "Refusal"
	case "Location":
		return "Place"
	}
	return strings.ReplaceAll(full, ".", "")
}

// types writes the interfaces.
func (s *source) types() ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(header)
	out.WriteString("/** A 64-bit number in decimal: an account, a group, a device, a message, an ordinal, a version. \"0\" is none. */\n" +
		"export type Id = string;\n")
	for _, e := range s.enums {
		comment(&out, "", e)
		var values []string
		for i := range e.Values().Len() {
			v := e.Values().Get(i)
			if int(v.Number()) != i {
				return nil, fmt.Errorf("%s: the values are not 0, 1, 2 …", e.FullName())
			}
			values = append(values, "'"+string(v.Name())+"'")
		}
		fmt.Fprintf(&out, "export type %s = %s;\n", name(e), strings.Join(values, " | "))
	}
	for _, m := range s.messages {
		comment(&out, "", m)
		fmt.Fprintf(&out, "export interface %s {\n", name(m))
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			comment(&out, "  ", f)
			mark, array := "", ""
			if f.IsList() {
				array = "[]"
			} else if f.HasPresence() {
				mark = "?"
			}
			fmt.Fprintf(&out, "  %s%s: %s%s;\n", f.JSONName(), mark, fieldType(f), array)
		}
		out.WriteString("}\n")
	}
	for _, side := range []struct {
		name, word string
		body       func(wire.Operation) proto.Message
	}{
		{"Requests", "request", func(o wire.Operation) proto.Message { return o.NewRequest() }},
		{"Replies", "reply", func(o wire.Operation) proto.Message { return o.NewReply() }},
	} {
		fmt.Fprintf(&out, "\n/** The body of every operation's %s. */\nexport interface %s {\n",
			side.word, side.name)
		for _, o := range wire.Operations {
			fmt.Fprintf(&out, "  %s: %s;\n", o.Name, name(side.body(o).ProtoReflect().Descriptor()))
		}
		out.WriteString("}\n")
	}
	return out.Bytes(), nil
}

// table writes what the codec goes by.
func (s *source) table() []byte {
	var out bytes.Buffer
	out.WriteString(header)
	out.WriteString("/** The names of every enumeration's values, by number. */\nexport const enums: Readonly<Record<string, readonly string[]>> = {\n")
	for _, e := range s.enums {
		var values []string
		for i := range e.Values().Len() {
			values = append(values, "'"+string(e.Values().Get(i).Name())+"'")
		}
		fmt.Fprintf(&out, "  %s: [%s],\n", name(e), strings.Join(values, ", "))
	}
	out.WriteString("};\n\n/**\n * The fields of every message: name, a colon and the kind; codec.ts tells the kinds.\n */\n" +
		"export const messages: Readonly<Record<string, string>> = {\n")
	for _, m := range s.messages {
		var fields []string
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			mark := ""
			if f.IsList() {
				mark = "*"
			} else if f.HasPresence() {
				mark = "?"
			}
			fields = append(fields, f.JSONName()+":"+mark+kind(f))
		}
		fmt.Fprintf(&out, "  %s: '%s',\n", name(m), strings.Join(fields, " "))
	}
	out.WriteString("};\n\n/** Number, body and reply of every operation. */\n" +
		"export const operations = {\n")
	for _, o := range wire.Operations {
		fmt.Fprintf(&out, "  %s: [%d, '%s', '%s'],\n", o.Name, o.Op,
			name(o.NewRequest().ProtoReflect().Descriptor()), name(o.NewReply().ProtoReflect().Descriptor()))
	}
	out.WriteString("} as const;\n\n/** The name of an operation. */\nexport type OperationName = keyof typeof operations;\n")
	return out.Bytes()
}

// fieldType is the TypeScript of a field's element. All int64 of the schema are times in milliseconds, which a number
// holds exactly.
func fieldType(f protoreflect.FieldDescriptor) string {
	switch f.Kind() {
	case protoreflect.StringKind:
		return "string"
	case protoreflect.BytesKind:
		return "Uint8Array"
	case protoreflect.BoolKind:
		return "boolean"
	case protoreflect.Uint64Kind:
		return "Id"
	case protoreflect.MessageKind:
		return name(f.Message())
	case protoreflect.EnumKind:
		return name(f.Enum())
	}
	return "number"
}

// kind is one letter for a scalar, # and the name for an enumeration, the name for a message.
func kind(f protoreflect.FieldDescriptor) string {
	switch f.Kind() {
	case protoreflect.StringKind:
		return "s"
	case protoreflect.BytesKind:
		return "y"
	case protoreflect.BoolKind:
		return "b"
	case protoreflect.Uint64Kind:
		return "u"
	case protoreflect.Int64Kind:
		return "t"
	case protoreflect.MessageKind:
		return name(f.Message())
	case protoreflect.EnumKind:
		return "#" + name(f.Enum())
	}
	return "n"
}

// comment writes what the schema says of d.
func comment(out *bytes.Buffer, indent string, d protoreflect.Descriptor) {
	at := d.ParentFile().SourceLocations().ByDescriptor(d)
	text := strings.TrimSpace(cmp.Or(at.LeadingComments, at.TrailingComments))
	if _, field := d.(protoreflect.FieldDescriptor); !field {
		text = strings.TrimSpace(at.LeadingComments)
		out.WriteByte('\n')
	}
	if text == "" {
		return
	}
	lines := strings.Split(text, "\n")
	if len(lines) == 1 {
		fmt.Fprintf(out, "%s/** %s */\n", indent, strings.TrimSpace(lines[0]))
		return
	}
	fmt.Fprintf(out, "%s/**\n", indent)
	for _, line := range lines {
		fmt.Fprintf(out, "%s * %s\n", indent, strings.TrimSpace(line))
	}
	fmt.Fprintf(out, "%s */\n", indent)
}

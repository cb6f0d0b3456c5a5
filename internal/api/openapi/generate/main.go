// Generate writes the OpenAPI document of the short link.
//
//	generate SCHEMA PROTOCOL OUT
//
// SCHEMA is the FileDescriptorSet of proto/ with source information, PROTOCOL docs/PROTOCOL.md, OUT the file to write.
package main

import (
	"log/slog"
	"os"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/hongyan-im/hongyan/internal/api/openapi"
)

func main() {
	if len(os.Args) != 4 {
		os.Stderr.WriteString("usage: generate SCHEMA PROTOCOL OUT\n")
		os.Exit(2)
	}
	if err := generate(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		slog.Error("generate", "error", err)
		os.Exit(1)
	}
}

func generate(schema, protocol, out string) error {
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
	text, err := os.ReadFile(protocol)
	if err != nil {
		return err
	}
	document, err := openapi.Document(openapi.Source{Find: files.FindDescriptorByName, Summaries: summaries(string(text))})
	if err != nil {
		return err
	}
	return os.WriteFile(out, document, 0o644)
}

// summaries reads what the operations do from the last column of the table of operations.
func summaries(protocol string) map[string]string {
	_, section, _ := strings.Cut(protocol, "\n## Operations\n")
	all := map[string]string{}
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "## ") {
			break
		}
		cells := strings.Split(line, "|")
		if len(cells) == 8 {
			all[strings.Trim(cells[2], " `")] = strings.TrimSpace(cells[6])
		}
	}
	return all
}

// Package openapi describes the short link as an OpenAPI 3.1 document. Nothing in it is written by hand but the few paths
// that the long link does not have: operations come from the table of package wire, bodies from the schema, and what is
// said of both from the comments of the schema and the table of docs/PROTOCOL.md. Command generate writes it to
// internal/api/openapi.json, from where the server shows it.
package openapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/api"
	"github.com/hongyan-im/hongyan/wire"
)

// Source is what a document is made from.
type Source struct {
	// Find returns the descriptor of a message of the schema. Its comments become descriptions, if it has any.
	Find func(protoreflect.FullName) (protoreflect.Descriptor, error)
	// Summaries say what each operation does, by its name.
	Summaries map[string]string
}

type object = map[string]any

// Document writes the document, in JSON that is the same for the same source.
func Document(s Source) ([]byte, error) {
	d := document{source: s, schemas: object{}}
	paths := handWritten()
	maps.Copy(paths, mediaPaths())
	for _, row := range wire.Operations {
		op, err := d.operation(row)
		if err != nil {
			return nil, err
		}
		path := api.Prefix + wire.Path(row.Name)
		methods, _ := paths[path].(object)
		if methods == nil {
			methods = object{}
			paths[path] = methods
		}
		methods["post"] = op
	}
	d.schemas["Problem"], d.schemas["Report"] = problem(), reportSchema()
	doc, err := json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Hongyan", "version": "1", "license": object{"name": "Apache License 2.0", "identifier": "Apache-2.0"},
			"summary": "The short link of an instant-messaging server: every operation of its long link as an HTTP request.",
			"description": "Bodies are proto3 JSON of the schema hongyan.v1, or the same messages as protobuf. 64-bit numbers are " +
				"decimal strings, bytes are base64, fields at their default are left out, and fields that are not known are " +
				"passed over. docs/PROTOCOL.md says what the operations mean.",
		},
		"servers":  []any{object{"url": "/"}},
		"security": []any{object{"token": []any{}}},
		"paths":    paths,
		"components": object{
			"schemas": d.schemas,
			"securitySchemes": object{
				"token": object{"type": "http", "scheme": "bearer",
					"description": "A ticket or a device token of Login, or a server API key."},
				"streamTicket": object{"type": "apiKey", "in": "query", "name": "ticket",
					"description": "A one-time ticket of POST " + api.Prefix + "events/ticket."},
				"streamCookie": object{"type": "apiKey", "in": "cookie", "name": "hongyan_events",
					"description": "The cookie of POST " + api.Prefix + "events/cookie."},
			},
			"parameters": object{"RequestId": object{
				"name": "X-Request-Id", "in": "header", "description": "An id for the request, which the answer repeats; one is drawn if it is missing.",
				"schema": object{"type": "string", "maxLength": 64, "pattern": "^[A-Za-z0-9._:-]+$"},
			}},
			"responses": object{"Problem": object{
				"description": "The request was refused (RFC 9457).",
				"content":     object{"application/problem+json": object{"schema": ref("Problem")}},
			}},
		},
	}, "", "  ")
	return append(doc, '\n'), err
}

// document gathers the schemas that the operations need.
type document struct {
	source  Source
	schemas object
}

func ref(name string) object { return object{"$ref": "#/components/schemas/" + name} }

func (d *document) operation(row wire.Operation) (object, error) {
	request, err := d.content(row.NewRequest())
	if err != nil {
		return nil, err
	}
	reply, err := d.content(row.NewReply())
	if err != nil {
		return nil, err
	}
	op := object{
		"operationId": row.Name, "summary": d.source.Summaries[row.Name],
		"parameters":  []any{object{"$ref": "#/components/parameters/RequestId"}},
		"requestBody": object{"content": request},
		"responses": object{
			"200":     object{"description": "What was asked for.", "content": reply},
			"default": object{"$ref": "#/components/responses/Problem"},
		},
		"tags": []any{map[wire.Access]string{wire.Anyone: "anyone", wire.User: "device", wire.Operator: "operator"}[row.Access]},
	}
	if row.Access == wire.Anyone {
		op["security"] = []any{object{}, object{"token": []any{}}}
	}
	return op, nil
}

// content is a body in both its forms.
func (d *document) content(m proto.Message) (object, error) {
	desc, err := d.source.Find(m.ProtoReflect().Descriptor().FullName())
	if err != nil {
		return nil, err
	}
	message, ok := desc.(protoreflect.MessageDescriptor)
	if !ok {
		return nil, fmt.Errorf("openapi: %s is no message", desc.FullName())
	}
	return object{
		"application/json":       object{"schema": d.message(message)},
		"application/x-protobuf": object{"schema": object{"description": "The message " + string(message.FullName()) + "."}},
	}, nil
}

// nameOf is the name of a schema: that of the message below its package.
func nameOf(d protoreflect.Descriptor) string {
	return strings.TrimPrefix(string(d.FullName()), string(d.ParentFile().Package())+".")
}

// message returns a reference to the schema of a message, which it makes the first time.
func (d *document) message(m protoreflect.MessageDescriptor) object {
	name := nameOf(m)
	if d.schemas[name] != nil {
		return ref(name)
	}
	schema := object{"type": "object"}
	d.schemas[name] = schema // before its fields: messages may hold themselves
	properties := object{}
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		properties[f.JSONName()] = d.field(f)
	}
	if len(properties) > 0 {
		schema["properties"] = properties
	}
	described(schema, commentOf(m)+oneOf(m))
	return ref(name)
}

// oneOf says which fields of a message exclude each other.
func oneOf(m protoreflect.MessageDescriptor) (text string) {
	for i := range m.Oneofs().Len() {
		o := m.Oneofs().Get(i)
		if o.IsSynthetic() {
			continue
		}
		var names []string
		for j := range o.Fields().Len() {
			names = append(names, o.Fields().Get(j).JSONName())
		}
		text += " At most one is set of " + strings.Join(names, ", ") + "."
	}
	return text
}

func (d *document) field(f protoreflect.FieldDescriptor) object {
	schema := d.value(f)
	if f.IsList() {
		schema = object{"type": "array", "items": schema}
	}
	described(schema, commentOf(f))
	return schema
}

// value is the schema of a field's values, as proto3 JSON writes them.
func (d *document) value(f protoreflect.FieldDescriptor) object {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return object{"type": "boolean"}
	case protoreflect.Uint32Kind:
		return object{"type": "integer", "minimum": 0, "maximum": 1<<32 - 1}
	case protoreflect.Uint64Kind:
		return object{"type": "string", "format": "uint64", "pattern": "^[0-9]+$"}
	case protoreflect.Int64Kind:
		return object{"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"}
	case protoreflect.DoubleKind:
		return object{"type": "number", "format": "double"}
	case protoreflect.StringKind:
		return object{"type": "string"}
	case protoreflect.BytesKind:
		return object{"type": "string", "contentEncoding": "base64"}
	case protoreflect.EnumKind:
		return d.enum(f.Enum())
	case protoreflect.MessageKind:
		return d.message(f.Message())
	}
	panic("openapi: the schema has got a field of kind " + f.Kind().String())
}

// enum is an enumeration by name. The zero value is what is left out, unless it has a meaning.
func (d *document) enum(e protoreflect.EnumDescriptor) object {
	name := nameOf(e)
	if d.schemas[name] == nil {
		var values []string
		for i := range e.Values().Len() {
			values = append(values, string(e.Values().Get(i).Name()))
		}
		schema := object{"type": "string", "enum": values}
		described(schema, commentOf(e))
		d.schemas[name] = schema
	}
	return ref(name)
}

// commentOf is what the schema says of a thing, above or behind it.
func commentOf(d protoreflect.Descriptor) string {
	at := d.ParentFile().SourceLocations().ByDescriptor(d)
	return strings.Join(strings.Fields(at.LeadingComments+" "+at.TrailingComments), " ")
}

func described(schema object, text string) {
	if text = strings.TrimSpace(text); text != "" {
		schema["description"] = text
	}
}

// problem is the schema of a refusal.
func problem() object {
	var codes []string
	for _, name := range hongyan.Codes() {
		codes = append(codes, strings.ToUpper(name))
	}
	slices.Sort(codes)
	text := func(what string) object { return object{"type": "string", "description": what} }
	return object{
		"type": "object", "description": "A refusal (RFC 9457). Decide by the code.",
		"required": []any{"type", "title", "status", "detail", "code", "requestId"},
		"properties": object{
			"type":   object{"type": "string", "format": "uri-reference", "description": "Where the code is explained."},
			"title":  text("What the code means, for people."),
			"status": object{"type": "integer", "description": "The status of the answer."},
			"detail": text("What was wrong, for people and logs."),
			"code":   object{"type": "string", "enum": codes, "description": "More may come: take one you do not know for INTERNAL."},
			"hint":   text("What to do."),
			"retryAfterMs": object{"type": "integer", "minimum": 0,
				"description": "Not before so many milliseconds; if it is missing, it does not matter when."},
			"requestId": text("The id of the request, as in the header X-Request-Id."),
		},
	}
}

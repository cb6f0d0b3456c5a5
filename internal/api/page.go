package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/hongyan-im/hongyan"
)

// document is the OpenAPI description of the short link, which scripts/generate writes.
//
//go:embed openapi.json
var document []byte

//go:embed page.html
var pageText string

// pageTemplate shows the document to people.
var pageTemplate = template.Must(template.New("page").Parse(pageText))

// schema is as much of a JSON Schema as the page shows.
type schema struct {
	Ref         string            `json:"$ref"`
	Type        string            `json:"type"`
	Format      string            `json:"format"`
	Encoding    string            `json:"contentEncoding"`
	Description string            `json:"description"`
	Enum        []string          `json:"enum"`
	Items       *schema           `json:"items"`
	Properties  map[string]schema `json:"properties"`
}

// Name is the name of the schema that s refers to.
func (s schema) Name() string {
	if s.Items != nil {
		s = *s.Items
	}
	return strings.TrimPrefix(s.Ref, "#/components/schemas/")
}

// Kind is what a value is, in a few words.
func (s schema) Kind() string {
	switch {
	case s.Items != nil && s.Items.Ref != "":
		return "list of "
	case s.Items != nil:
		return "list of " + s.Items.Kind()
	case s.Encoding != "":
		return s.Encoding
	case s.Format != "":
		return s.Type + " (" + s.Format + ")"
	}
	return s.Type
}

// described is an operation as the document has it.
type described struct {
	Method, Path string // filled in
	ID           string `json:"operationId"`
	Summary      string
	Description  string
	Tags         []string
	RequestBody  struct {
		Content map[string]struct{ Schema schema }
	}
	Responses map[string]struct {
		Description string
		Content     map[string]struct{ Schema schema }
	}
}

// Request and Reply are the names of the schemas of an operation's bodies, empty if they have none.
func (d described) Request() string { return d.RequestBody.Content[typeJSON].Schema.Name() }
func (d described) Reply() string   { return d.Responses["200"].Content[typeJSON].Schema.Name() }

// codeRow is a code as the page lists it.
type codeRow struct {
	Code, Title string
	Status      int
}

// makePage writes the page that lists the operations of a document, its schemas, and the codes of problems.
func makePage(document []byte) ([]byte, error) {
	var doc struct {
		Info  struct{ Title, Summary, Description string }
		Paths map[string]struct {
			Post, Get, Put, Delete *described
		}
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("api: the OpenAPI document: %w", err)
	}
	data := struct {
		Release    string
		Info       any
		Operations []described
		Schemas    map[string]schema
		Codes      []codeRow
	}{Release: hongyan.Release, Info: doc.Info, Schemas: doc.Components.Schemas}
	for path, methods := range doc.Paths {
		for method, d := range map[string]*described{
			"POST": methods.Post, "GET": methods.Get, "PUT": methods.Put, "DELETE": methods.Delete,
		} {
			if d != nil {
				d.Method, d.Path = method, path
				data.Operations = append(data.Operations, *d)
			}
		}
	}
	slices.SortFunc(data.Operations, func(a, b described) int { return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method) })
	for code, v := range verdicts {
		data.Codes = append(data.Codes, codeRow{strings.ToUpper(code.String()), v.title, v.status})
	}
	slices.SortFunc(data.Codes, func(a, b codeRow) int { return strings.Compare(a.Code, b.Code) })
	var page bytes.Buffer
	err := pageTemplate.Execute(&page, data)
	return page.Bytes(), err
}

// show answers with something that stays as long as the server runs.
func show(mediaType string, text []byte) route {
	return route{http.MethodGet: func(x *exchange) {
		// The page has no script and fetches nothing.
		x.w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		x.finish(mediaType, text, nil)
	}}
}

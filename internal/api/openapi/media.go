package openapi

import (
	"github.com/hongyan-im/hongyan/internal/api"
	"github.com/hongyan-im/hongyan/internal/media"
)

// mediaPaths are the paths of the media store.
func mediaPaths() object {
	number := func(what string) object {
		return object{"type": "string", "format": "int64", "pattern": "^[0-9]+$", "description": what}
	}
	answers := func(status, what string, schema object) object {
		return object{
			status:    object{"description": what, "content": object{"application/json": object{"schema": schema}}},
			"default": object{"$ref": "#/components/responses/Problem"},
		}
	}
	parameter := func(in, name, what string) object {
		return object{"name": name, "in": in, "required": in == "path", "description": what, "schema": object{"type": "string"}}
	}
	upload := parameter("path", "upload", "The id of the upload.")
	reference := parameter("path", "ref", "The reference.")
	bytes := func(limit int) object {
		return object{"required": true, "content": object{"application/octet-stream": object{"schema": object{
			"type": "string", "format": "binary", "maxLength": limit,
		}}}}
	}
	operation := func(id, summary string, parameters []any, responses object) object {
		return object{"operationId": id, "summary": summary, "tags": []any{"device"}, "parameters": parameters, "responses": responses}
	}
	with := func(op object, name string, value any) object {
		op[name] = value
		return op
	}
	file := func(id, summary string) object {
		content := object{"*/*": object{"schema": object{"type": "string", "format": "binary"}}}
		return object{
			"operationId": id, "summary": summary, "tags": []any{"anyone"}, "security": []any{object{}}, "parameters": []any{reference},
			"responses": object{
				"200":     object{"description": "The bytes.", "content": content},
				"206":     object{"description": "A range of the bytes.", "content": content},
				"304":     object{"description": "The client has them."},
				"default": object{"$ref": "#/components/responses/Problem"},
			},
		}
	}
	kept := answers("200", "The file is kept: this is what a message says of it.", ref("Media"))
	begun := answers("201", "The upload is begun.", object{"type": "object", "properties": object{
		"upload": object{"type": "string", "description": "Its id."}, "expiresMs": number("When it is forgotten, Unix milliseconds."),
		"partSize": object{"type": "integer", "description": "Bytes that a part should have."},
	}})
	begun["200"] = object{"description": "The account has uploaded this file already.", "content": object{
		"application/json": object{"schema": object{"type": "object", "properties": object{"media": ref("Media")}}},
	}}
	return object{
		api.Prefix + "media": object{"post": with(operation("BeginUpload",
			"begins to upload a file of a size, and with a name, a type and a SHA-256 if the client likes", []any{}, begun),
			"requestBody", object{"required": true, "content": object{"application/json": object{"schema": ref("Media")}}})},
		api.Prefix + "media/whole": object{"post": with(operation("UploadWhole", "uploads a small file at once; its type is the header Content-Type",
			[]any{parameter("query", "name", "The name of the file.")}, kept), "requestBody", bytes(media.MaxWhole))},
		api.Prefix + "media/uploads/{upload}": object{
			"put": with(operation("PutPart", "sends a part of a file, in any order, again if need be",
				[]any{upload, with(parameter("query", "offset", "Where it begins."), "required", true)},
				answers("200", "The part is on the disk.", object{"type": "object", "properties": object{
					"received": number("Bytes of the file that have come."),
				}})), "requestBody", bytes(media.MaxPart)),
			"get": operation("ShowUpload", "says what has come of a file", []any{upload},
				answers("200", "What has come.", object{"type": "object", "properties": object{
					"size": number("Bytes of the file."), "expiresMs": number("When the upload is forgotten, Unix milliseconds."),
					"received": object{"type": "array", "items": object{"type": "object", "properties": object{
						"offset": number("Where a run of bytes begins."), "length": number("Its bytes."),
					}}},
				}})),
			"delete": operation("CancelUpload", "forgets an upload", []any{upload},
				answers("200", "It is gone.", object{"type": "object"})),
		},
		api.Prefix + "media/uploads/{upload}/finish": object{"post": operation("FinishUpload",
			"makes a file of the parts, when all have come", []any{upload}, kept)},
		api.Prefix + "media/{ref}":           object{"get": file("GetMedia", "gives whoever has the reference the file")},
		api.Prefix + "media/{ref}/thumbnail": object{"get": file("GetThumbnail", "gives whoever has the reference of an image its thumbnail, a JPEG")},
	}
}

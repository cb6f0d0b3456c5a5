package openapi

import (
	"github.com/hongyan-im/hongyan/internal/api"
	"github.com/hongyan-im/hongyan/internal/api/report"
)

// handWritten are the paths that are no operation of the long link.
func handWritten() object {
	refused := object{"$ref": "#/components/responses/Problem"}
	query := func(name, what string) object {
		return object{"name": name, "in": "query", "schema": object{"type": "string"}, "description": what}
	}
	grant := func(id, summary, what string, schema object) object {
		return object{"post": object{
			"operationId": id, "summary": summary, "tags": []any{"device"},
			"responses": object{
				"200":     object{"description": what, "content": object{"application/json": object{"schema": schema}}},
				"default": refused,
			},
		}}
	}
	number := object{"type": "integer", "minimum": 0}
	words := object{"type": "array", "items": object{"type": "string"}}
	return object{
		api.Prefix + "sync": object{"get": object{
			"operationId": "Poll", "tags": []any{"device"},
			"summary": "brings the changes after a SyncKey, like Sync, in a form that is cheap to hold",
			"parameters": []any{
				query("key", "What the device has applied, escaped."), query("limit", "Changes in the answer."),
				query("waitMs", "Hold an empty answer so long."),
			},
			"responses": object{
				"200": object{"description": "What was asked for.", "content": object{
					"application/json": object{"schema": ref("SyncReply")}}},
				"default": refused,
			},
		}},
		api.Prefix + "addresses": object{"get": object{
			"operationId": "Addresses", "tags": []any{"anyone"}, "security": []any{object{}},
			"summary": "says where the server is found, and how it likes to be treated",
			"responses": object{"200": object{"description": "The list, in the order in which to try it.",
				"content": object{"application/json": object{"schema": object{
					"type": "object", "properties": object{
						"addresses": object{"type": "array", "items": object{"type": "object", "properties": object{
							"host": object{"type": "string"}, "port": number, "priority": number, "weight": number,
							"ips": words, "transports": words,
						}}},
						"ttlMs":  object{"type": "string", "format": "int64"},
						"hints":  ref("Hints"),
						"tlsPin": object{"type": "string"},
					}}}}}, "default": refused},
		}},
		api.Prefix + "report": object{"post": object{
			"operationId": "Report", "tags": []any{"anyone"}, "security": []any{object{}, object{"token": []any{}}},
			"summary":     "tells the operator of a network that fails the client",
			"requestBody": object{"required": true, "content": object{"application/json": object{"schema": ref("Report")}}},
			"responses": object{"200": object{"description": "The report is kept.",
				"content": object{"application/json": object{"schema": object{"type": "object"}}}}, "default": refused},
		}},
		api.Prefix + "reports": object{"get": object{
			"operationId": "Reports", "tags": []any{"operator"},
			"summary": "shows the latest reports, the newest first",
			"parameters": []any{object{"name": "limit", "in": "query", "description": "100 if it is missing.",
				"schema": object{"type": "integer", "minimum": 1, "maximum": report.MaxListed}}},
			"responses": object{"200": object{"description": "The reports.", "content": object{"application/json": object{
				"schema": object{"type": "object", "properties": object{
					"reports": object{"type": "array", "items": object{"type": "object", "properties": object{
						"receivedMs": object{"type": "string", "format": "int64"}, "requestId": object{"type": "string"},
						"from": object{"type": "string"}, "user": object{"type": "string", "format": "uint64"},
						"report": ref("Report"),
					}}}}}}}}, "default": refused},
		}},
		api.Prefix + "events": object{"get": object{
			"operationId": "Events", "tags": []any{"device"},
			"summary": "streams the account's changes as server-sent events",
			"description": "Each event is a SyncReply in JSON, and its id is the key after it. Before the stream ends for a reason of " +
				"the server's, an event of the type problem holds a Problem. Nothing is acknowledged by streaming: use Ack.",
			"parameters": []any{
				object{"name": "Last-Event-ID", "in": "header", "schema": object{"type": "string"},
					"description": "The key to go on from. Browsers send it by themselves."},
				query("key", "The key to go on from, where the header cannot be set. Without either the stream begins anew."),
				query("ticket", "A one-time ticket, where neither a header nor a cookie can be sent."),
			},
			"security": []any{object{"token": []any{}}, object{"streamTicket": []any{}}, object{"streamCookie": []any{}}},
			"responses": object{
				"200": object{"description": "The stream.", "content": object{
					"text/event-stream": object{"schema": object{"type": "string"}}}},
				"default": refused,
			},
		}},
		api.Prefix + "events/ticket": grant("StreamTicket", "gives a one-time ticket for a stream", "The ticket.", object{
			"type": "object", "required": []any{"ticket", "expiresMs"}, "properties": object{
				"ticket":    object{"type": "string"},
				"expiresMs": object{"type": "string", "format": "int64", "description": "Unix milliseconds."},
			}}),
		api.Prefix + "events/cookie": grant("StreamCookie", "gives a page of this server a cookie for its streams",
			"The cookie is set.", object{"type": "object"}),
	}
}

// reportSchema is the body of a report.
func reportSchema() object {
	text := func(what string) object {
		return object{"type": "string", "maxLength": report.MaxText, "description": what}
	}
	millis := object{"type": "string", "format": "int64", "description": "Unix milliseconds."}
	return object{"type": "object", "description": "A network as its client finds it. It holds nothing that people write.",
		"properties": object{
			"client": text("Program and system."), "network": text("wifi, cellular, …, as far as it is known."),
			"sinceMs": millis, "waiting": object{"type": "integer", "minimum": 0, "description": "Messages that wait to be sent."},
			"attempts": object{"type": "array", "maxItems": report.MaxAttempts, "items": object{"type": "object", "properties": object{
				"transport": text("tls, wss, https, tcp, ws or http."), "address": text("HOST:PORT."), "atMs": millis,
				"tookMs": object{"type": "integer", "minimum": 0, "description": "Milliseconds."},
				"stage":  text("How far it got: dns, connect, tls, auth, answer, or ok."), "error": text("As the system says it."),
			}}},
		}}
}

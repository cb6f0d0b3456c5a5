package wire

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
)

// The bodies of the hot path: a message of 200 bytes, its acknowledgement, and its notification with the message inline.
func hotSend() *SendRequest {
	return &SendRequest{
		Target:         &SendToConversation{Conversation: "d:1801439850948198:4503599627370497"},
		ClientId:       []byte("0123456789abcdef"),
		FirstAttemptMs: 1_700_000_000_000,
		Content:        FromContent(hongyan.Text(strings.Repeat("x", 200))),
	}
}

func hotSendReply() *SendReply {
	return &SendReply{
		Id: 4_503_599_627_370_499, Conversation: "d:1801439850948198:4503599627370497", Ordinal: 4711,
		TimeMs: 1_700_000_000_000,
	}
}

func hotMessage() hongyan.Message {
	return hongyan.Message{
		ID:           4_503_599_627_370_499,
		Conversation: hongyan.Direct(1_801_439_850_948_198, 4_503_599_627_370_497),
		Ordinal:      4711,
		From:         1_801_439_850_948_198,
		FromName:     "wildgoose",
		ClientID:     hongyan.ClientID([]byte("0123456789abcdef")),
		TimeMS:       1_700_000_000_000,
		Content:      hongyan.Text(strings.Repeat("x", 200)),
	}
}

func hotNotify() *Notify {
	v := hongyan.VersionAt(3, 4712)
	m := hotMessage()
	return &Notify{
		Version:  uint64(v),
		Previous: uint64(v - 1),
		Changes:  []*Change{FromChange(hongyan.Change{Version: v, Message: &m})},
		Key:      hongyan.KeyAt(0xC0FFEE, m.From, v).Token(),
	}
}

// TestAllocations pins what the hot path allocates. A figure that falls is good news: lower the pin.
func TestAllocations(t *testing.T) {
	// Not parallel: AllocsPerRun counts the whole process.
	buffer := make([]byte, 0, 4096)
	heartbeat := AppendFrame(nil, Frame{Op: OpHeartbeat, Seq: 15})
	stream := append(append([]byte(nil), heartbeat...), AppendFrame(nil, Frame{OpSend, 16, make([]byte, 300)})...)
	send, sendReply, notify := hotSend(), hotSendReply(), hotNotify()
	sent, err := proto.Marshal(send)
	if err != nil {
		t.Fatal(err)
	}
	notified, err := proto.Marshal(notify)
	if err != nil {
		t.Fatal(err)
	}
	message, word := FromMessage(hotMessage()), hotMessage()
	var decoder Decoder
	for _, tt := range []struct {
		name string
		want float64
		run  func() error
	}{
		{"ParseFrame, heartbeat", 0, func() error { _, _, err := ParseFrame(heartbeat, MaxFrame); return err }},
		{"ParseFrame, body", 0, func() error { _, _, err := ParseFrame(stream[HeaderSize:], MaxFrame); return err }},
		{"ParseFrame, incomplete", 0, func() error { _, _, err := ParseFrame(stream[:HeaderSize-1], MaxFrame); return err }},
		{"AppendFrame, heartbeat", 0, func() error {
			AppendFrame(buffer, Frame{Op: OpHeartbeat.Reply(), Seq: 15})
			return nil
		}},
		{"Append, heartbeat", 0, func() error { _, err := Append(buffer, OpHeartbeat.Reply(), 15, nil); return err }},
		{"Decoder, two frames in a piece", 0, func() error {
			decoder.Feed(stream)
			for range 3 {
				if _, _, err := decoder.Next(); err != nil {
					return err
				}
			}
			return nil
		}},
		{"Append, Send", 0, func() error { _, err := Append(buffer, OpSend, 16, send); return err }},
		{"Append, SendReply", 0, func() error { _, err := Append(buffer, OpSend.Reply(), 16, sendReply); return err }},
		{"Append, Notify", 0, func() error { _, err := Append(buffer, OpNotify, 0, notify); return err }},
		{"Unmarshal, Send", 7, func() error { return Unmarshal(sent, new(SendRequest)) }},
		{"Unmarshal, Notify", 12, func() error { return Unmarshal(notified, new(Notify)) }},
		{"FromMessage", 5, func() error { FromMessage(word); return nil }},
		{"ToMessage", 0, func() error { _, err := ToMessage(message); return err }},
	} {
		got := testing.AllocsPerRun(100, func() {
			if err := tt.run(); err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
		})
		if got != tt.want {
			t.Errorf("%s: %v allocations, want %v", tt.name, got, tt.want)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for name, tt := range map[string]struct {
		op   Op
		body proto.Message
	}{
		"Send": {OpSend, hotSend()}, "SendReply": {OpSend.Reply(), hotSendReply()}, "Notify": {OpNotify, hotNotify()},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			buffer := make([]byte, 0, 4096)
			for b.Loop() {
				if _, err := Append(buffer, tt.op, 1, tt.body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, tt := range map[string]struct {
		op   Op
		body proto.Message
		into func() proto.Message
	}{
		"Send":      {OpSend, hotSend(), body[SendRequest]},
		"SendReply": {OpSend.Reply(), hotSendReply(), body[SendReply]},
		"Notify":    {OpNotify, hotNotify(), body[Notify]},
	} {
		b.Run(name, func(b *testing.B) {
			frame, err := Append(nil, tt.op, 1, tt.body)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				f, _, err := ParseFrame(frame, MaxFrame)
				if err != nil {
					b.Fatal(err)
				}
				if err := Unmarshal(f.Body, tt.into()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkConvert measures the way between the words and the bodies.
func BenchmarkConvert(b *testing.B) {
	word := hotMessage()
	body := FromMessage(word)
	b.Run("FromMessage", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			FromMessage(word)
		}
	})
	b.Run("ToMessage", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ToMessage(body); err != nil {
				b.Fatal(err)
			}
		}
	})
}

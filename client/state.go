package client

import (
	"encoding/binary"
	"fmt"
	"path/filepath"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client/core"
	"github.com/hongyan-im/hongyan/wire"
)

// Buckets of state.db. Ids and ordinals are big-endian, so that they sort by number; values are bodies of the schema.
var (
	bucketMeta          = []byte("meta")          // see the keys below
	bucketConversations = []byte("conversations") // conversation → Conversation
	bucketMessages      = []byte("messages")      // conversation, ordinal → Message
	bucketProcessed     = []byte("processed")     // message id → time, conversation, ordinal: it was delivered once
	bucketContacts      = []byte("contacts")      // account → Contact
	bucketGroups        = []byte("groups")        // group → Group
	bucketSettings      = []byte("settings")      // name → Setting
	bucketProfiles      = []byte("profiles")      // account → Unix milliseconds of the look-up, Profile

	allBuckets = [][]byte{
		bucketMeta, bucketConversations, bucketMessages, bucketProcessed,
		bucketContacts, bucketGroups, bucketSettings, bucketProfiles,
	}
	// What a reset replaces.
	resetBuckets = [][]byte{bucketConversations, bucketContacts, bucketGroups, bucketSettings}
)

// Keys of bucketMeta.
var (
	metaFormat   = []byte("format")   // stateFormat
	metaUser     = []byte("user")     // the account
	metaKey      = []byte("key")      // core.State.Key
	metaVersion  = []byte("version")  // core.State.Version
	metaBackfill = []byte("backfill") // core.State.Backfill
	metaUnhanded = []byte("unhanded") // what the application may not have seen: 1 if backfilled, else 0; a SyncReply
	metaDevices  = []byte("devices")  // the account's Devices
)

const stateFormat = 1

// stateStore keeps what a device has received. Its holder is the only one in the world until it is closed.
type stateStore struct {
	db *bbolt.DB
	me hongyan.UserID
}

// openState opens the state of a profile, which belongs to the account me.
func openState(dir string, me hongyan.UserID) (*stateStore, error) {
	path := filepath.Join(dir, stateFile)
	db, err := openDatabase(path, 0)
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range allBuckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		if err := expect(meta, metaFormat, stateFormat, "is of format %d, this version reads %d"); err != nil {
			return err
		}
		return expect(meta, metaUser, uint64(me), "belongs to account %d, not to %d: use another directory")
	})
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return &stateStore{db: db, me: me}, nil
}

// expect sets a number that is not there yet, and refuses another one.
func expect(meta *bbolt.Bucket, key []byte, want uint64, refusal string) error {
	v := meta.Get(key)
	if v == nil {
		return meta.Put(key, be64(want))
	}
	if got := binary.BigEndian.Uint64(v); got != want {
		return fmt.Errorf(refusal, got, want)
	}
	return nil
}

func (s *stateStore) close() error { return s.db.Close() }

// held returns how far the device is.
func (s *stateStore) held() (core.State, error) {
	var held core.State
	err := s.db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		held = core.State{
			Key:      append([]byte(nil), meta.Get(metaKey)...),
			Version:  heldVersion(meta),
			Backfill: append([]byte(nil), meta.Get(metaBackfill)...),
			Unhanded: meta.Get(metaUnhanded) != nil,
		}
		return nil
	})
	return held, err
}

func heldVersion(meta *bbolt.Bucket) hongyan.Version {
	v := meta.Get(metaVersion)
	if v == nil {
		return 0
	}
	return hongyan.Version(binary.BigEndian.Uint64(v))
}

// commit carries out a core.Commit.
func (s *stateStore) commit(c core.Commit) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if v := heldVersion(meta); v != c.Previous {
			return fmt.Errorf("the state is at version %d, not at %d", v, c.Previous)
		}
		batch := new(wire.SyncReply)
		if c.Reset != nil {
			batch.Reset_ = &wire.Reset{Reason: wire.ResetReason(*c.Reset)}
			if err := dropKnown(tx, *c.Reset); err != nil {
				return err
			}
		}
		if err := newApplier(tx, s.me, c.Derive).apply(c, batch); err != nil {
			return err
		}
		unhanded, err := proto.MarshalOptions{}.MarshalAppend([]byte{boolByte(c.Backfilled)}, batch)
		if err != nil {
			return err
		}
		for _, kv := range [][2][]byte{
			{metaKey, c.State.Key},
			{metaVersion, be64(uint64(c.State.Version))},
			{metaBackfill, c.State.Backfill},
			{metaUnhanded, unhanded},
		} {
			if err := meta.Put(kv[0], kv[1]); err != nil {
				return err
			}
		}
		return nil
	})
}

// dropKnown drops what a reset replaces. Another generation of the server's store may have given ordinals anew, so that
// messages go too; that they were delivered once stays known.
func dropKnown(tx *bbolt.Tx, why core.ResetReason) error {
	names := resetBuckets
	if why == core.ResetGeneration {
		names = append(names[:len(names):len(names)], bucketMessages)
	}
	for _, name := range names {
		if err := tx.DeleteBucket(name); err != nil {
			return err
		}
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return nil
}

// startOver forgets how far the device is, and all that may be otherwise on the server now.
func (s *stateStore) startOver() error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		if err := dropKnown(tx, core.ResetGeneration); err != nil {
			return err
		}
		for _, key := range [][]byte{metaKey, metaVersion, metaBackfill} {
			if err := tx.Bucket(bucketMeta).Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
}

// unhanded returns the events that the application may not have seen, in order.
func (s *stateStore) unhanded() (events []Event, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket(bucketMeta).Get(metaUnhanded)
		if len(v) == 0 {
			return nil
		}
		batch := new(wire.SyncReply)
		if err := proto.Unmarshal(v[1:], batch); err != nil {
			return err
		}
		events, err = batchEvents(batch, v[0] == boolByte(true))
		return err
	})
	return events, err
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// handed records that the application has seen everything.
func (s *stateStore) handed() error {
	return s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Delete(metaUnhanded) })
}

func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// conversationKey is the key of a conversation, and the prefix of its messages' keys.
func conversationKey(id hongyan.ConversationID) []byte {
	b, _ := id.AppendBinary(make([]byte, 0, hongyan.ConversationSize+8))
	return b
}

func messageKey(id hongyan.ConversationID, n hongyan.Ordinal) []byte {
	return binary.BigEndian.AppendUint64(conversationKey(id), uint64(n))
}

// get reads a record into a body. It reports whether there is one.
func get(b *bbolt.Bucket, key []byte, into proto.Message) (bool, error) {
	v := b.Get(key)
	if v == nil {
		return false, nil
	}
	return true, proto.Unmarshal(v, into)
}

func put(b *bbolt.Bucket, key []byte, body proto.Message) error {
	v, err := proto.Marshal(body)
	if err != nil {
		return err
	}
	return b.Put(key, v)
}

package kv

// Batch is an ordered list of writes that is applied as one. The zero Batch is empty and ready for use. A later write
// to a key replaces an earlier one of the same batch; DeleteRange covers the earlier writes of its batch too.
type Batch struct {
	ops   []Op
	size  int
	err   error
	shard uint32
	term  uint64
}

// OpKind says what an Op does.
type OpKind uint8

const (
	OpSet         OpKind = iota // Key = Value
	OpDelete                    // remove Key
	OpDeleteRange               // remove [Key, End)
)

// Op is one write of a batch. Value holds End for OpDeleteRange.
type Op struct {
	Kind       OpKind
	Key, Value []byte
}

// Set gives key a value. The batch keeps both slices: the caller must not change them before the batch may be
// reused (see Store.Apply).
func (b *Batch) Set(key, value []byte) { b.add(Op{OpSet, key, value}) }

// Delete removes key, if it is there.
func (b *Batch) Delete(key []byte) { b.add(Op{OpDelete, key, nil}) }

// DeleteRange removes the keys in [from, to). An empty or inverted range removes nothing; an empty from is the start of
// the store.
func (b *Batch) DeleteRange(from, to []byte) { b.add(Op{OpDeleteRange, from, to}) }

// Fence makes the batch depend on the shard's term: Apply refuses it with ErrFenced unless the shard was last claimed
// at that term. A term of 0 takes the fence away.
func (b *Batch) Fence(shard uint32, term uint64) { b.shard, b.term = shard, term }

// Fenced returns what Fence was given; a term of 0 means no fence.
func (b *Batch) Fenced() (shard uint32, term uint64) { return b.shard, b.term }

// Ops returns the writes in order, for engines. The caller must not change them.
func (b *Batch) Ops() []Op { return b.ops }

// Len is the number of writes, Size their bytes.
func (b *Batch) Len() int  { return len(b.ops) }
func (b *Batch) Size() int { return b.size }

// Check returns the first limit that the batch broke, as an *OversizeError or ErrEmptyKey, or nil. The write that broke
// it and all later ones are not kept. Engines call Check before anything else.
func (b *Batch) Check() error { return b.err }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	clear(b.ops)
	*b = Batch{ops: b.ops[:0]}
}

func (b *Batch) add(op Op) {
	if b.err != nil {
		return // refused as a whole: holding more of it would only fill memory
	}
	size := b.size + len(op.Key) + len(op.Value)
	switch {
	case len(op.Key) == 0 && op.Kind != OpDeleteRange:
		b.err = ErrEmptyKey
	case len(op.Key) > MaxKey:
		b.err = &OversizeError{"key", len(op.Key), MaxKey}
	case op.Kind == OpDeleteRange && len(op.Value) > MaxKey:
		b.err = &OversizeError{"key", len(op.Value), MaxKey}
	case len(op.Value) > MaxValue:
		b.err = &OversizeError{"value", len(op.Value), MaxValue}
	case size > MaxBatch:
		b.err = &OversizeError{"batch", size, MaxBatch}
	default:
		b.ops, b.size = append(b.ops, op), size
	}
}

// Package hongyan holds the words that every part of Hongyan shares: ids, messages and their contents, the changes
// that a device must learn, the SyncKey that says what it has learnt, and the errors a peer can be told.
//
// It imports the standard library alone. How these words travel is package wire's business, how they are kept is
// package store's; the numbers in the cbor tags are those of the stored records and are never reused.
package hongyan

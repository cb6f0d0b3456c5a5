export { open } from './open.js';
export { Client, clientIdOf, maxMessages } from './client.js';
export type { Found } from './acts.js';
export type { CodeState } from './code.js';
export type {
  ChangeEvent, Connection, ConversationState, Events, Me, Options, Outgoing, Sending, Sent, SocketLike, StoredMessage, Transport,
} from './api.js';
export type { Target } from './core/outbox.js';
export { HongyanError, type LocalCode } from './error.js';
export { addToId, compareIds, directConversation, groupConversation, groupOf, maxId, minId, peerOf } from './ids.js';
export { MemoryStorage } from './storage/memory.js';
export { openIndexedDb } from './storage/indexeddb.js';
export type { Batch, Storage, Table, Write } from './storage/storage.js';
export type { UploadOptions } from './upload.js';
export type { Init } from './wire/init.js';
export type { OperationName } from './wire/table.js';
export type * from './wire/types.js';

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { type Client, open, type Options } from '../src/index.js';
import { Server, until } from './server.js';

let server: Server;
const clients: Client[] = [];

before(async () => {
  server = await Server.start();
});

after(async () => {
  for (const c of clients) await c.close();
  await server.remove();
});

async function client(name: string, options: Options = {}): Promise<Client> {
  const c = await open({ url: server.url, WebSocket: WebSocket as unknown as Options['WebSocket'], ...options });
  clients.push(c);
  await c.register({ name, password: `${name}-secret` });
  await until(`${name} is online`, () => c.connection.phase === 'online' && !c.connection.catchingUp);
  return c;
}

test('two clients chat', async () => {
  const alice = await client('alice');
  const bob = await client('bob');
  const heard: string[] = [];
  bob.on('message', ({ message }) => heard.push(message.content?.text ?? ''));
  const sending = alice.send({ name: 'bob' }, { text: 'hello 雁' });
  const sent = await sending.acknowledged;
  await until('bob hears', () => heard.length === 1);
  assert.deepEqual(heard, ['hello 雁']);
  const c = bob.conversations.get(sent.conversation);
  assert.equal(c?.unread, 1);
  assert.equal(c?.title, 'alice');
  const mine = await alice.messages(sent.conversation, { from: '1', to: '10' });
  assert.equal(mine.length, 1);
  assert.equal(mine[0]!.id, sent.id);
  assert.equal(mine[0]!.own, true);
  assert.equal(alice.outbox(sent.conversation).length, 0);
  bob.markRead(sent.conversation, '1');
  await until('alice sees it read', () => alice.conversations.get(sent.conversation)?.peerRead === '1');
});

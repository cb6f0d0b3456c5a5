import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heard, inStep, register } from './clients.js';
import { Proxy } from './proxy.js';
import { Server, until } from './server.js';
import { Stage } from './stage.js';

const stage = new Stage();

test('a server is found at the addresses that it has told', async () => {
  const other = await Server.start();
  const way = await Proxy.start(other.port);
  const carol = await register(way.url, 'carol');
  const dave = await register(other.url, 'dave');
  try {
    const hears = heard(carol);
    way.close();
    await until('the link is lost', () => carol.connection.phase !== 'online');
    await dave.send({ name: 'carol' }, { text: 'still there?' }).acknowledged;
    await until('it arrives by the other address', () => hears.length === 1);
    const { requestId } = await carol.report();
    assert.match(requestId, /^[0-9a-f]{32}$/);
  } finally {
    await carol.close();
    await dave.close();
    await other.remove();
  }
});

test('what is blocked is gone around, and come back to', async () => {
  const alice = await register(stage.server.url, 'alice');
  stage.proxy.rules.blockWebSocket = true;
  const bob = await register(stage.proxy.url, 'bob');
  stage.clients.push(alice, bob);
  assert.equal(bob.connection.transport, 'sse');
  const hears = heard(bob);
  const say = (text: string) => alice.send({ name: 'bob' }, { text }).acknowledged;
  await say('one');
  await until('the first is there', () => hears.length === 1);

  stage.proxy.rules.bufferEvents = true;
  stage.proxy.cut();
  await until('the link is lost', () => bob.connection.phase !== 'online');
  await say('two');
  await until('the second is there', () => hears.length === 2);
  await inStep(bob);
  assert.equal(bob.connection.transport, 'longpoll');
  await say('three');
  await until('the third is there', () => hears.length === 3);

  stage.proxy.rules.blockWebSocket = stage.proxy.rules.bufferEvents = false;
  await until('the link is lost', () => {
    stage.proxy.cut(); // between two polls there is nothing that it would break
    return bob.connection.phase !== 'online';
  });
  await inStep(bob);
  bob.networkChanged();
  await until('the best way is back', () => bob.connection.transport === 'websocket');
  await say('four');
  await until('the fourth is there', () => hears.length === 4);
  assert.deepEqual(hears, ['one', 'two', 'three', 'four']);
});

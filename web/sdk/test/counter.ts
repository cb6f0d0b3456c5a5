// A program that counts: it sends 0, 1, 2 … up to a limit to an account, and begins where its store says that it has come.
// Arguments: URL FOLDER NAME PEER LIMIT. It prints "done" when everything is acknowledged.
import { open } from '../src/index.js';
import { fileStorage } from '../src/node.js';
import { everything, inStep, nodeOptions } from './clients.js';
import { until } from './server.js';

const [url, folder, name, peer, limit] = process.argv.slice(2) as [string, string, string, string, string];
const c = await open({ url, storage: await fileStorage(folder), ...nodeOptions });
if (c.me === null) await c.login({ name, password: `${name}-secret` });
await inStep(c);
const [known] = await c.profiles({ names: [peer] });
const target = { conversation: ['d', ...[c.me!.user, known!.user].sort((a, b) => Number(BigInt(a) - BigInt(b)))].join(':') };
const counted = [...(await everything(c, target.conversation)).filter((m) => m.own), ...c.outbox(target.conversation)];
const next = Math.max(-1, ...counted.map((m) => Number(m.content?.text))) + 1;
for (let n = next; n < Number(limit); n++) {
  const sending = c.send(target, { text: String(n) });
  // Some wait for their answer, some are on their way together.
  if (n % 5 === 0) await sending.acknowledged;
}
await until('the outbox is empty', () => c.outbox(target.conversation).length === 0);
console.log('done');
await c.close();

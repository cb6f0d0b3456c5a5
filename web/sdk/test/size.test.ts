import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';

/** The size of what a page loads that imports so much of the SDK: bytes, and bytes compressed. */
async function size(code: string): Promise<{ plain: number; gzip: number }> {
  const sdk = new URL('../src/index.js', import.meta.url).pathname;
  const entry = {
    name: 'entry',
    resolveId: (id: string) => (id === 'entry' ? id : null),
    load: (id: string) => (id === 'entry' ? code.replace('SDK', JSON.stringify(sdk)) : null),
  };
  const bundle = await rolldown({ input: 'entry', plugins: [entry] });
  const { output } = await bundle.generate({ format: 'esm', minify: true });
  await bundle.close();
  assert.equal(output.length, 1);
  return { plain: output[0].code.length, gzip: gzipSync(output[0].code).length };
}

test('a page loads no more than it uses, and not much at all', async (t) => {
  const whole = await size('export { open } from SDK');
  t.diagnostic(`open: ${whole.plain} bytes, ${whole.gzip} compressed`);
  assert.ok(whole.gzip < 30_000);
  const part = await size('export { compareIds } from SDK');
  t.diagnostic(`compareIds: ${part.plain} bytes`);
  assert.ok(part.plain < 300);
});

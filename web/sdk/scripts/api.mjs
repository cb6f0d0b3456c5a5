// Writes api.md: the declarations that a program sees, with their comments, out of dist. With --check it changes nothing
// and fails when what is committed differs.
import { readFileSync, writeFileSync } from 'node:fs';

const parts = [
  ['Opening', 'open'],
  ['Options, state and events', 'api'],
  ['Client', 'client'],
  ['Acts', 'acts'],
  ['Listening', 'emitter'],
  ['Login by code', 'code'],
  ['Errors', 'error'],
  ['Ids', 'ids'],
  ['Storage', 'storage/storage'],
  ['Storage of Node, from @hongyan/sdk/node', 'node'],
];

const root = new URL('../', import.meta.url);
let text =
  '# API of @hongyan/sdk\n\nMade from the sources by `npm run api`. The types of messages, conversations and the bodies of ' +
  'operations are those of\n`proto/hongyan/v1`, in [src/wire/types.ts](src/wire/types.ts).\n';
for (const [title, name] of parts) {
  const declarations = readFileSync(new URL(`dist/${name}.d.ts`, root), 'utf8')
    .replace(/^import [^;]*;\n/gm, '')
    .replace(/^export \{\};\n/gm, '')
    .replace(/^\/\/\/ .*\n/gm, '')
    .replace(/^( *)(\/\*\*(?:(?!\*\/)[^])*?\*\/\n\s*)?private [^;]*;\n/gm, '')
    .replace(/^( *)protected [^;]*;\n/gm, '')
    .replace(/\/\/# sourceMappingURL.*\n?/, '')
    .replace(/export declare /g, '')
    .replace(/^export /gm, '');
  text += `\n## ${title}\n\n\`\`\`ts\n${declarations.trim()}\n\`\`\`\n`;
}

const file = new URL('api.md', root);
if (process.argv[2] === '--check') {
  if (readFileSync(file, 'utf8') !== text) {
    console.error("web/sdk/api.md is old: run 'npm run build -w sdk && npm run api -w sdk' in web and commit the result");
    process.exit(1);
  }
} else {
  writeFileSync(file, text);
}

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkLayers } from './support/layers/check.ts';

describe('the layers', () => {
  it('hold', () => {
    expect(checkLayers(join(import.meta.dirname, '..'))).toEqual([]);
  });
});

describe('the check of the layers', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'layers-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  /** Findings in a small valid tree with `files` (paths from its root) on top. */
  function check(files: Record<string, string>): string[] {
    const sound = {
      'package.json': '{ "dependencies": { "koffi": "1", "fastify": "1", "dns-packet": "1", "yaml": "1" } }',
      '.hidden': '',
      'var/x.db': '',
      'src/README.md': '',
      'src/decisions/why.md': '',
      'src/main.ts': "const { run } = await import('./cli/serve.ts');\nrun();\n",
      'src/cli/serve.ts':
        "import { ask } from '../dns/index.ts';\nimport { read } from '../config/index.ts';\n",
      'src/config/index.ts': "// What a reader of files needs.\nexport { read } from './read.ts';\n",
      'src/config/read.ts': "import { parse } from 'yaml';\n",
      'src/dns/index.ts':
        "export { ask } from './query.ts';\nexport type {\n  A,\n  B,\n} from './query.ts';\n",
      'src/dns/query.ts':
        "import {\n  name,\n} from '../wire/index.ts';\nnew Worker(new URL('./thread.ts', import.meta.url));\n",
      'src/dns/thread.ts': "import { ask } from './query.ts';\n",
      'src/sys/index.ts': "export * from './libc.ts';\n",
      'src/sys/libc.ts': "createRequire(import.meta.url)('koffi');\n",
      'src/wire/index.ts': "export { name } from './name.ts';\n",
      'src/wire/name.ts': "import { Buffer } from 'node:buffer';\n",
    };
    for (const [path, text] of Object.entries({ ...sound, ...files })) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return checkLayers(root);
  }

  it('finds nothing in a sound tree', () => {
    expect(check({})).toEqual([]);
  });

  it.each<[string, Record<string, string>, string]>([
    ['a stranger at the top', { 'notes.md': '' }, 'notes.md: does not belong'],
    ['a part that nobody agreed on', { 'src/utils/x.ts': '' }, 'src/utils: not a known part'],
    [
      'an import upward',
      { 'src/wire/up.ts': "import { x } from '../dns/index.ts';" },
      'wire/up.ts: imports dns/index.ts, which is not below',
    ],
    [
      'an import sideways',
      { 'src/wire/side.ts': "export * from '../net/index.ts';" },
      'net/index.ts, which is not below',
    ],
    [
      'one of types only',
      { 'src/wire/side.ts': "import type { X } from '../net/index.ts';" },
      'which is not below',
    ],
    [
      'one over several lines',
      { 'src/wire/side.ts': "import {\n  a,\n  type B,\n} from '../net/index.ts';" },
      'which is not below',
    ],
    ['one in a type', { 'src/wire/side.ts': "let x: import('../net/index.ts').X;" }, 'which is not below'],
    ['one for its effects', { 'src/wire/side.ts': "import '../net/index.ts';" }, 'which is not below'],
    ['one at run time', { 'src/wire/side.ts': "  await import('../net/index.ts');" }, 'which is not below'],
    ['one that cannot be read', { 'src/wire/side.ts': 'await import(name);' }, 'an import without a literal'],
    [
      'an import out of src',
      { 'src/wire/out.ts': "import { x } from '../../test/x.ts';" },
      'which is not in src',
    ],
    [
      'an import past a face',
      { 'src/dns/past.ts': "import { x } from '../wire/name.ts';" },
      'wire/name.ts, past its face',
    ],
    [
      'a thread of another part',
      { 'src/dns/far.ts': "new URL('../wire/index.ts', import.meta.url);" },
      'starts a thread of another part',
    ],
    [
      'a face that does something',
      { 'src/wire/index.ts': "export { name } from './name.ts';\nexport const x = 1;\n" },
      'wire/index.ts: a face only re-exports',
    ],
    [
      'config read by a part',
      { 'src/dns/c.ts': "import { read } from '../config/index.ts';" },
      'config/index.ts, which is for cli only',
    ],
    [
      'cli used by a part',
      { 'src/config/c.ts': "import { x } from '../cli/index.ts';" },
      'cli/index.ts, which is not below',
    ],
    [
      'a client that uses our parts',
      { 'src/client/c.ts': "import { x } from '../wire/index.ts';" },
      'which is not below',
    ],
    [
      'a cycle',
      {
        'src/wire/name.ts': "import type { b } from './b.ts';",
        'src/wire/b.ts': "import { a } from './name.ts';",
      },
      'wire/b.ts -> wire/name.ts -> wire/b.ts: a cycle',
    ],
    [
      'koffi outside sys',
      { 'src/dns/ffi.ts': "createRequire(import.meta.url)('koffi');" },
      'koffi, which is for sys/ only',
    ],
    [
      'SQLite outside its store',
      { 'src/registry/r.ts': "import { DatabaseSync } from 'node:sqlite';" },
      'node:sqlite, which is for registry/store/sqlite',
    ],
    [
      'SQLite by another way',
      { 'src/cli/r.ts': "process.getBuiltinModule('node:sqlite');" },
      'node:sqlite, which is for registry/store/sqlite',
    ],
    [
      'Fastify outside control',
      { 'src/cli/f.ts': "import fastify from 'fastify';" },
      'fastify, which is for control/ only',
    ],
    [
      'Fastify loaded with dns',
      { 'src/wire/name.ts': "import fastify from 'fastify';" },
      'dns/index.ts -> dns/query.ts -> wire/index.ts -> wire/name.ts -> fastify: must not be loaded',
    ],
    [
      'dns-packet on the hot path',
      { 'src/dns/query.ts': "import { decode } from 'dns-packet';" },
      'dns-packet, which is too slow there',
    ],
    [
      'a leaf with a library',
      { 'src/net/x.ts': "import { parse } from 'yaml';" },
      'a leaf has its own small libraries only',
    ],
    [
      'a library of development',
      { 'src/cli/x.ts': "import { it } from 'vitest/node';" },
      'which package.json does not have',
    ],
    [
      'a scoped one',
      { 'src/control/x.ts': "import s from '@fastify/swagger/x';" },
      'which package.json does not have',
    ],
  ])('finds %s', (_, files, fault) => {
    const found = check(files);
    expect(found.join('\n')).toContain(fault);
  });
});

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are the configuration's, not JavaScript's
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { load, problemsOf, REGIONS } from './builders.ts';

describe('environment variables', () => {
  const dataDirOf = (yaml: string, env: Record<string, string> = {}) =>
    load(`${REGIONS}\ndataDir: ${yaml}\n`, env).config.dataDir;

  it.each([
    ['${DIR}', { DIR: '/srv' }, '/srv'],
    ['"${DIR}"', { DIR: '/srv' }, '/srv'],
    ["'${DIR}/x'", { DIR: '/srv' }, '/srv/x'],
    ['/a/${ONE}/${TWO}', { ONE: '1', TWO: '2' }, '/a/1/2'],
    ['${DIR:-/default}', {}, '/default'],
    ['${DIR:-/default}', { DIR: '' }, '/default'],
    ['${DIR:-/default}', { DIR: '/srv' }, '/srv'],
    ['${DIR:-/a:-b # c}', {}, '/a:-b # c'],
    ['/a/$${DIR}', { DIR: '/srv' }, '/a/${DIR}'],
    ['/a/$DIR', { DIR: '/srv' }, '/a/$DIR'],
    ['/a/${ONE}', { ONE: '${TWO}', TWO: 'no' }, '/a/${TWO}'],
  ])('%s with %j', (yaml, env, expected) => {
    expect(dataDirOf(yaml, env as Record<string, string>)).toBe(expected);
  });

  it('need no quotes inside brackets and braces', () => {
    const yaml = 'regions: { us: { relays: [{ address: ${US} , weight: ${WEIGHT:-3} }] } }';
    expect(load(yaml, { US: '203.0.113.9' }).config.regions['us']!.relays).toEqual([
      { address: '203.0.113.9', address6: null, weight: 3, group: null },
    ]);
  });

  it('take the type of the key: numbers, sizes, booleans, null', () => {
    const { config } = load(
      `${REGIONS}\nregistration: { perAccount: \${N}, allowPrivate: \${B} }\ncache: { bytes: \${S} }\n` +
        'defaultRegion: ${NONE:-}\ncontrol: { adminKey: ${KEY} }\n',
      { N: '7', B: 'true', S: '128MiB', KEY: '12345' },
    );
    expect(config.registration).toMatchObject({ perAccount: 7, allowPrivate: true });
    expect(config.cache.bytes).toBe(128 * 2 ** 20);
    expect(config.defaultRegion).toBe('us');
    expect(config.control.adminKey).toBe('12345');
  });

  it('cannot change the structure of the file', () => {
    const evil = '[a, b]\nroles: [control]';
    expect(problemsOf(`${REGIONS}\nlog: { level: \${EVIL} }`, { EVIL: evil })).toEqual([
      'log.level: found "[a, b]\\nroles: [control]" from ${EVIL}, expected one of fatal, error, warn, info, debug, trace',
    ]);
  });

  it('are ignored in comments', () => {
    expect(problemsOf(`${REGIONS} # \${UNSET} and \${\n`)).toEqual([]);
  });

  it.each([
    [
      'dataDir: ${UNSET}',
      'dataDir: found ${UNSET}, which is not set, expected the environment variable UNSET',
    ],
    [
      'log: { level: "${UNSET}" }',
      'log.level: found ${UNSET}, which is not set, expected the environment variable UNSET',
    ],
    [
      'dns: { workers: ${UNSET} }',
      'dns.workers: found ${UNSET}, which is not set, expected the environment variable UNSET',
    ],
    [
      'relay: { quic: ["${UNSET}"] }',
      'relay.quic[0]: found ${UNSET}, which is not set, expected the environment variable UNSET',
    ],
    [
      'dns: { udp: ["${UNSET}:53"] }',
      'dns.udp[0]: found ${UNSET}, which is not set, expected the environment variable UNSET',
    ],
    ['dns: ${UNSET:-x}', 'dns: found "x" from ${UNSET}, expected a mapping'],
    [
      'dataDir: ${}',
      'dataDir: found a ${ without a name and a }, expected ${NAME}, ${NAME:-default} or ${file:PATH}',
    ],
    [
      'dataDir: ${A-b}',
      'dataDir: found a ${ without a name and a }, expected ${NAME}, ${NAME:-default} or ${file:PATH}',
    ],
    [
      'dataDir: ${1A}',
      'dataDir: found a ${ without a name and a }, expected ${NAME}, ${NAME:-default} or ${file:PATH}',
    ],
    [
      'dataDir: "${A"',
      'dataDir: found a ${ without a name and a }, expected ${NAME}, ${NAME:-default} or ${file:PATH}',
    ],
    [
      'registration: { perAccount: ${N:-five} }',
      'registration.perAccount: found "five" from ${N}, expected a whole number from 1 to 10000',
    ],
    [
      'control: { adminKey: "${KEY:-hunter 2}" }',
      'control.adminKey: found a string (not shown) from ${KEY}, expected visible ASCII characters without spaces',
    ],
  ])('%s is a fault', (yaml, fault) => {
    expect(problemsOf(`${REGIONS}\n${yaml}\n`)).toEqual([fault]);
  });
});

describe('files', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'values-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const put = (name: string, text: string | Uint8Array) => {
    writeFileSync(join(directory, name), text);
    return `\${file:${join(directory, name)}}`;
  };
  const keyOf = (value: string) =>
    load(`${REGIONS}\ncontrol: { adminKey: "${value}" }\n`).config.control.adminKey;

  it.each([
    ['no-line-break', 'no-line-break'],
    ['one-line-break\n', 'one-line-break'],
    ['of-windows\r\n', 'of-windows'],
    ['${NAME}', '${NAME}'],
  ])('give %j as %j', (text, expected) => {
    expect(keyOf(put('key', text))).toBe(expected);
  });

  it('give part of a value, and take the type of the key', () => {
    const yaml = `${REGIONS}\nstore: redis://edge:${put('password', 's3cret\n')}@127.0.0.1:6379\ndns: { workers: ${put('workers', '3\n')} }\n`;
    const { config } = load(yaml);
    expect([config.store, config.dns.workers]).toEqual(['redis://edge:s3cret@127.0.0.1:6379', 3]);
  });

  it('are relative to the configuration', () => {
    writeFileSync(join(directory, 'key'), 'beside-the-file\n');
    writeFileSync(join(directory, 'config.yaml'), `${REGIONS}\ncontrol: { adminKey: "\${file:key}" }\n`);
    const { config } = loadConfig({ file: join(directory, 'config.yaml'), env: {}, cwd: '/' });
    expect(config.control.adminKey).toBe('beside-the-file');
  });

  it('are named in an error, without their text', () => {
    const missing = `\${file:${join(directory, 'missing')}}`;
    const problem = (value: string) => problemsOf(`${REGIONS}\ncontrol: { adminKey: "${value}" }\n`);
    expect(problem(missing)).toEqual([
      `control.adminKey: found ${missing}, which does not exist, expected a readable text file`,
    ]);
    const binary = put('binary', Uint8Array.of(0xff, 0xfe));
    expect(problem(binary)).toEqual([
      `control.adminKey: found ${binary}, which is not UTF-8, expected a readable text file`,
    ]);
    const large = put('large', 'x'.repeat(2 ** 16 + 1));
    expect(problem(large)).toEqual([
      `control.adminKey: found ${large}, which has more than 65536 bytes, expected a readable text file`,
    ]);
    const spaced = put('spaced', 'two words');
    expect(problem(spaced)).toEqual([
      `control.adminKey: found a string (not shown) from ${spaced}, expected visible ASCII characters without spaces`,
    ]);
  });
});

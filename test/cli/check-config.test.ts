import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { makeCertificate } from '../support/certificate.ts';
import { recorder } from './io.ts';

const REGIONS = 'regions: { us: { relays: [{ address: 203.0.113.1 }, { address: 203.0.113.2 }] } }\n';
const SERVICE =
  'service: netflix\ntitle: Netflix\nregions: [us]\nnames: [netflix.com]\nexact: [netflix.com.edgesuite.net]\n';

describe('check-config', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'check-config-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  async function check(files: Record<string, string>, argv = ['--config', 'a.yaml'], env = {}) {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
    const { io, out, err } = recorder(env, directory);
    return { code: await run(['check-config', ...argv], io), out, err };
  }

  it('prints a summary', async () => {
    const { code, out, err } = await check({ 'a.yaml': REGIONS, 'services/netflix.yaml': SERVICE });
    expect({ code, err }).toEqual({ code: 0, err: [] });
    expect(out).toEqual([
      'a.yaml: no errors',
      '  roles              control, edge',
      '  dns.udp            127.0.0.1:5300',
      '  dns.tcp            127.0.0.1:5300',
      '  control.listen     127.0.0.1:8080',
      '  metrics.listen     127.0.0.1:9153',
      `  store              embedded, in ${join(directory, 'var')}`,
      '  upstreams          system',
      '  cache              64MiB',
      '  regions            us (default): 2 relays',
      '  probes             none (health.names)',
      '  catalog            1 service, 2 names',
      '  private addresses  may not register',
    ]);
  });

  it('prints warnings and exits 0', async () => {
    const yaml = `${REGIONS}registration: { leaseDays: 7 }\n`;
    const { code, out } = await check({ 'a.yaml': yaml, 'services/netflix.yaml': SERVICE });
    expect(code).toBe(0);
    expect(out.at(-1)).toMatch(/^a\.yaml: warning: registration\.leaseDays: /);
  });

  it.each([
    ['both names', ['DNS:dns.example', 'DNS:*.dns.example'], null],
    ['no wildcard', ['DNS:dns.example'], 'the certificate lacks *.dns.example: '],
    ['another name', ['DNS:other.example'], 'the certificate lacks dns.example and *.dns.example: '],
  ])('warns of a certificate that private names cannot use: %s', async (_title, names, warning) => {
    const { cert, key } = makeCertificate(names);
    writeFileSync(join(directory, 'key.pem'), key, { mode: 0o600 });
    const yaml = `${REGIONS}privateNames: { domain: dns.example }
tls: { certFile: cert.pem, keyFile: key.pem }
dns: { tls: ["127.0.0.1:8853"] }
`;
    const { code, out } = await check({ 'a.yaml': yaml, 'cert.pem': cert, 'services/netflix.yaml': SERVICE });
    expect(code).toBe(0);
    const found = out.filter((line) => line.includes('privateNames.domain'));
    expect(found).toHaveLength(warning === null ? 0 : 1);
    if (warning !== null) expect(found[0]).toContain(warning);
  });

  it('prints each error on a line and exits 1', async () => {
    const { code, out, err } = await check({ 'a.yaml': 'log: { level: loud }\ncolour: red\n' });
    expect({ code, out }).toEqual({ code: 1, out: [] });
    expect(err).toHaveLength(3);
    for (const line of err) expect(line).toMatch(/^a\.yaml(:\d)?: \w[\w.]*: found .*, expected /);
  });

  it('prints errors of the catalog in the same form and exits 1', async () => {
    const { code, out, err } = await check({
      'a.yaml': REGIONS,
      'services/x.yaml': `${SERVICE}colour: red\n`,
    });
    expect({ code, out }).toEqual({ code: 1, out: [] });
    expect(err).toEqual([expect.stringMatching(/services\/x\.yaml:6: colour: found .*, expected /)]);
  });

  it('reports a pattern that matches no file', async () => {
    const { code, err } = await check({ 'a.yaml': `${REGIONS}catalog: { services: ["mine/*.yaml"] }\n` });
    expect(code).toBe(1);
    expect(err).toEqual([
      expect.stringMatching(/^a\.yaml: catalog\.services\[0\]: found "mine\/\*\.yaml".*, expected /),
    ]);
  });

  it('names a missing file', async () => {
    const { code, err } = await check({});
    expect({ code, err }).toEqual({ code: 1, err: ['a.yaml: found no such file, expected a configuration'] });
  });

  it('reads MEDIASTREAMER_CONFIG without --config', async () => {
    const { err } = await check({}, [], { MEDIASTREAMER_CONFIG: 'b.yaml' });
    expect(err).toEqual(['b.yaml: found no such file, expected a configuration']);
  });

  it('shows no secret', async () => {
    const yaml = `${REGIONS}control: { adminKey: hunter2-hunter2-hunter2 }\n`;
    const { code, out } = await check({ 'a.yaml': yaml, 'services/netflix.yaml': SERVICE });
    expect(code).toBe(0);
    expect(out.join('\n')).not.toContain('hunter2');
  });

  it('accepts both shipped configurations', async () => {
    const env = {
      MEDIASTREAMER_PUBLIC_URL: 'https://dns.example.com',
      MEDIASTREAMER_RELAY_US: '8.8.4.4',
      MEDIASTREAMER_RELAY_GB: '9.9.9.9',
    };
    for (const name of ['default', 'production']) {
      const file = join(import.meta.dirname, `../../config/${name}.yaml`);
      const { code, err } = await check({}, ['--config', file], env);
      expect({ name, code, err }).toEqual({ name, code: 0, err: [] });
    }
  });
});

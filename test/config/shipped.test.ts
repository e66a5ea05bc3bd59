import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isMap, isScalar, isSeq, parseDocument } from 'yaml';
import { type ConfigError, loadConfig } from '../../src/config/index.ts';
import { CONFIG_SCHEMA, type SchemaNode } from '../../src/config/schema.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const load = (file: string, env: Record<string, string> = {}) => loadConfig({ file, env, cwd: ROOT });

/** Lists the paths of all keys of a schema; regions and relays count once. */
function keysOf(schema: SchemaNode, path = ''): string[] {
  // An empty list in the file: a trial has no further keys.
  if (path === 'control.keys') return [path];
  const members =
    schema.properties ??
    schema.items?.properties ??
    Object.values(schema.patternProperties ?? {})[0]?.properties;
  if (members === undefined) return [path];
  return Object.entries(members).flatMap(([key, member]) =>
    keysOf(member, path === '' ? key : `${path}.${key}`),
  );
}

function keysIn(node: unknown, path = ''): string[] {
  if (isSeq(node) && isMap(node.items[0])) return keysIn(node.items[0], path);
  if (!isMap(node) || node.items.length === 0) return [path];
  return node.items.flatMap(({ key, value }) => {
    const name = isScalar(key) ? String(key.value) : '';
    // A region's id is not a key of the schema.
    if (path === 'regions')
      return name === 'us' && isMap(value) ? keysIn(value.get('relays'), 'regions.relays') : [];
    return keysIn(value, path === '' ? name : `${path}.${name}`);
  });
}

describe('config/default.yaml', () => {
  it('serves a trial on this machine only, without errors and warnings', () => {
    const { config, warnings } = load('config/default.yaml');
    expect(warnings).toEqual([]);
    expect(config.registration.allowPrivate).toBe(true);
    expect(config.roles).toEqual(['control', 'edge']);
    for (const text of [
      ...config.dns.udp,
      ...config.dns.tcp,
      ...config.control.listen,
      ...config.metrics.listen,
    ]) {
      expect(text).toMatch(/^127\.0\.0\.1:/);
    }
  });

  it('has every key, each with a comment', () => {
    const text = readFileSync(resolve(ROOT, 'config/default.yaml'), 'utf8');
    expect(keysIn(parseDocument(text).contents).sort()).toEqual(keysOf(CONFIG_SCHEMA).sort());
    const bare = text.split('\n').filter((line) => /^\s*[\w- ]+: \S/.test(line) && !line.includes('#'));
    expect(bare).toEqual(['      - address: 192.0.2.20']);
  });
});

describe('config/deploy/relay.yaml', () => {
  const ENV = {
    MEDIASTREAMER_EDGE_PASSWORD: 'secret',
    MEDIASTREAMER_RELAY_US: '8.8.4.4',
    MEDIASTREAMER_RELAY_GB: '9.9.9.9',
  };

  it('is a relay only, with its egress from the environment', () => {
    const { config, warnings } = load('config/deploy/relay.yaml', ENV);
    expect(warnings).toEqual([]);
    expect(config.roles).toEqual(['relay']);
    expect(config.relay).toMatchObject({
      tls: ['0.0.0.0:443'],
      egress: 'direct',
      allowPrivateOrigins: false,
    });
    const egress = 'http://user:p%40ss@proxy.example:3128';
    const env = { ...ENV, MEDIASTREAMER_RELAY_EGRESS: egress };
    expect(load('config/deploy/relay.yaml', env).config.relay.egress).toBe(egress);
  });
});

describe('config/production.yaml', () => {
  const ENV = {
    MEDIASTREAMER_PUBLIC_URL: 'https://dns.example.com',
    MEDIASTREAMER_RELAY_US: '8.8.4.4',
    MEDIASTREAMER_RELAY_GB: '9.9.9.9',
  };

  it('is strict, and warns with its required variables of nothing but what the page cannot show', () => {
    const { config, warnings } = load('config/production.yaml', ENV);
    expect(warnings.map((line) => line.split(':')[0])).toEqual(['control.dnsAddresses', 'dns.testZone']);
    expect(config.registration.allowPrivate).toBe(false);
    expect(config.dns.udp).toEqual(['0.0.0.0:53', '[::]:53']);
    expect(config.regions['us']!.relays[0]!.address6).toBeNull();
  });

  it('names missing variables', () => {
    let problems: readonly string[] = [];
    try {
      load('config/production.yaml');
    } catch (error) {
      problems = (error as ConfigError).problems;
    }
    expect(problems.map((line) => /expected the environment variable (\w+)$/.exec(line)?.[1])).toEqual([
      'MEDIASTREAMER_RELAY_US',
      'MEDIASTREAMER_RELAY_GB',
      'MEDIASTREAMER_PUBLIC_URL',
    ]);
  });
});

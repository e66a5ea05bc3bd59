import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DEFAULT_CONFIG_FILE, loadConfig, locateConfig } from '../../src/config/index.ts';
import { load, REGIONS } from './builders.ts';

const ROOT = resolve(import.meta.dirname, '../..');

describe('defaults', () => {
  it('are the strict choice', () => {
    const { config } = load(REGIONS);
    expect(config).toMatchObject({
      roles: ['control', 'edge'],
      store: 'embedded',
      dns: {
        udp: ['127.0.0.1:5300'],
        tcp: ['127.0.0.1:5300'],
        unregistered: 'refuse',
        workers: 'auto',
        engine: 'auto',
      },
      upstreams: ['system'],
      cache: { bytes: 67_108_864, minTtlSeconds: 0, maxTtlSeconds: 86_400, staleSeconds: 86_400 },
      catalog: { services: ['services/*.yaml'], answerTtlSeconds: 60 },
      defaultRegion: 'us',
      registration: { perAccount: 5, leaseDays: 90, allowPrivate: false },
      retention: { lapsedDays: null },
      control: { listen: ['127.0.0.1:8080'], adminKey: '', trustedProxies: [] },
      readiness: { upstreamsDownSeconds: 30 },
      metrics: { listen: ['127.0.0.1:9153'] },
      log: { level: 'info' },
    });
  });

  it('fill in missing keys of a section', () => {
    const { config } = load(`${REGIONS}\ndns: { rateLimit: { burst: 7 } }\n`);
    expect(config.dns.rateLimit).toEqual({ perSecond: 20, burst: 7 });
    expect(config.dns.udp).toEqual(['127.0.0.1:5300']);
  });

  it('are not shared between two configurations', () => {
    expect(load(REGIONS).config.dns.udp).not.toBe(load(REGIONS).config.dns.udp);
  });
});

describe('values', () => {
  it('are canonical', () => {
    const { config } = load(
      'regions: { us: { relays: [{ address6: "2001:DB8:0::1", group: a-1 }] } }\n' +
        'dns: { udp: ["[0:0::1]:53", "[::ffff:127.0.0.1]:54"] }\n' +
        'upstreams: [system, udp://9.9.9.9, "tcp://[2620:FE::FE]", "udp://[2620:fe::9]:5353", udp://1.1.1.1:54]\n' +
        'control: { publicUrl: "https://DNS.example/api/", trustedProxies: [10.0.0.0/8, 10.1.2.3, "::1"] }\n' +
        'cache: { bytes: 1GiB }\n',
    );
    expect(config.regions['us']!.relays[0]).toEqual({
      address: null,
      address6: '2001:db8::1',
      weight: 1,
      group: 'a-1',
    });
    expect(config.dns.udp).toEqual(['[::1]:53', '127.0.0.1:54']);
    expect(config.upstreams).toEqual([
      'system',
      'udp://9.9.9.9:53',
      'tcp://[2620:fe::fe]:53',
      'udp://[2620:fe::9]:5353',
      'udp://1.1.1.1:54',
    ]);
    expect(config.control.publicUrl).toBe('https://dns.example/api');
    expect(config.control.trustedProxies).toEqual(['10.0.0.0/8', '10.1.2.3/32', '::1/128']);
    expect(config.cache.bytes).toBe(2 ** 30);
  });

  it('may be repeated by an anchor', () => {
    const { config } = load(`${REGIONS}\ndns: { udp: &at ["127.0.0.1:1"], tcp: *at }\n`);
    expect(config.dns.tcp).toEqual(['127.0.0.1:1']);
  });

  it('accept each form of relay.egress', () => {
    const egressOf = (yaml: string) => load(`${REGIONS}\nrelay: { egress: ${yaml} }\n`).config.relay.egress;
    expect(egressOf('direct')).toBe('direct');
    expect(egressOf('"socks5://u:p%40ss@proxy.example:1080"')).toBe('socks5://u:p%40ss@proxy.example:1080');
    expect(egressOf('["http://10.0.0.1:3128", "socks5://[2001:db8::1]:1080"]')).toHaveLength(2);
    expect(egressOf('{ localAddress: 192.0.2.7 }')).toEqual({ localAddress: '192.0.2.7' });
    expect(egressOf('{ localAddress: [192.0.2.7, "2001:DB8::7"] }')).toEqual({
      localAddress: ['192.0.2.7', '2001:db8::7'],
    });
  });

  it('are deeply frozen', () => {
    const loaded = load(REGIONS);
    const walk = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      expect(Object.isFrozen(value)).toBe(true);
      for (const member of Object.values(value)) walk(member);
    };
    walk(loaded);
    expect(() => (loaded.config.dns.udp as string[]).push('x')).toThrow(TypeError);
  });
});

describe('paths', () => {
  it('are relative to the current directory for data, to the file for services', () => {
    const { config, directory } = loadConfig({ file: 'config/default.yaml', env: {}, cwd: ROOT });
    expect(config.dataDir).toBe(resolve(ROOT, 'var'));
    expect(directory).toBe(resolve(ROOT, 'config'));
  });
});

describe('the configuration file', () => {
  it('is the argument, else MEDIASTREAMER_CONFIG, else the default beside the program', () => {
    expect(locateConfig('a.yaml', { MEDIASTREAMER_CONFIG: 'b.yaml' })).toBe('a.yaml');
    expect(locateConfig(undefined, { MEDIASTREAMER_CONFIG: 'b.yaml' })).toBe('b.yaml');
    expect(locateConfig(undefined, { MEDIASTREAMER_CONFIG: '' })).toBe(DEFAULT_CONFIG_FILE);
    expect(locateConfig(undefined, {})).toBe(resolve(ROOT, 'config/default.yaml'));
  });
});

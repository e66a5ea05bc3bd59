/** The shipped alerts, runbook and dashboards, with the real Prometheus on the real metrics. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { makeCertificate } from '../../support/certificate.ts';
import { askUdp } from '../../support/dns-client.ts';
import { FakeUpstream } from '../../support/fake-upstream.ts';
import { freePort, RedisServer } from '../../support/redis-server.ts';
import { FILMS, Program, ROOT, RunningService, temporaryFolder, until } from '../../support/service.ts';

const FOLDER = join(ROOT, 'config/deploy/prometheus');
const HOME = '127.0.82.1';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string; readonly runbook: string };
}
interface Case {
  readonly name: string;
  readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly object[] }[];
}

const yaml = (name: string) => parse(readFileSync(join(FOLDER, name), 'utf8'));
const rules: Rule[] = yaml('alerts.yaml').groups.flatMap(({ rules }: { rules: Rule[] }) => rules);
const names = rules.map(({ alert }) => alert);

function promtool(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: FOLDER, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

/** Queries of the dashboards by "file: panel". */
function panelQueries(): [string, string][] {
  const folder = join(ROOT, 'config/deploy/grafana');
  return readdirSync(folder).flatMap((file) => {
    const { panels } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as {
      panels: { title: string; targets: { expr: string }[] }[];
    };
    return panels.flatMap(({ title, targets }) =>
      targets.map(({ expr }): [string, string] => [`${file}: ${title}`, expr.replaceAll('$instance', '.+')]),
    );
  });
}

describe('alerts', () => {
  it('are valid, and each fires and is quiet as its cases say', () => {
    expect(promtool('check', 'rules', 'alerts.yaml')).toMatchObject({ status: 0 });
    expect(promtool('test', 'rules', 'alerts.test.yaml')).toMatchObject({ status: 0 });
  });

  it('have a firing and a quiet case each', () => {
    const tests = (yaml('alerts.test.yaml').tests as Case[]).flatMap((one) => one.alert_rule_test);
    const having = (fires: boolean) =>
      tests.filter(({ exp_alerts }) => exp_alerts.length > 0 === fires).map(({ alertname }) => alertname);
    expect(having(true)).toEqual(names);
    expect(having(false)).toEqual(names);
  });

  it('have a section of the runbook each, with what homes notice, how to look and what to do', () => {
    const [, ...sections] = readFileSync(join(FOLDER, 'runbook.md'), 'utf8').split(/^## /m);
    expect(sections.map((section) => section.split('\n', 1)[0])).toEqual(names);
    for (const section of sections)
      expect(section).toMatch(/\*\*Homes notice\*\*[\s\S]+\*\*Look\*\*[\s\S]+\*\*Do\*\*/);
    for (const { alert, annotations } of rules) {
      expect(annotations.runbook).toBe(`config/deploy/prometheus/runbook.md#${alert.toLowerCase()}`);
    }
  });
});

describe('queries of alerts and dashboards', () => {
  const queries = [...panelQueries(), ...rules.map(({ alert, expr }): [string, string] => [alert, expr])];
  let redis: RedisServer;
  let upstream: FakeUpstream;
  let service: RunningService;
  let prometheus: Program;
  let url: string;

  beforeAll(async () => {
    const folder = temporaryFolder();
    const { cert, key } = makeCertificate(['DNS:dns.example.com']);
    writeFileSync(join(folder, 'cert.pem'), cert);
    writeFileSync(join(folder, 'key.pem'), key, { mode: 0o600 });
    redis = await RedisServer.start({ shipped: true });
    upstream = await FakeUpstream.start();
    service = await RunningService.start({
      config: {
        roles: ['control', 'edge', 'relay'],
        store: redis.url,
        upstreams: [upstream.url],
        dns: { tls: ['127.0.0.1:0'] },
        tls: { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') },
        relay: { tls: ['127.0.0.1:0'], region: 'us', quicMode: 'refuse', egress: ['socks5://127.0.0.1:9'] },
        regions: { us: { relays: [{ address: '127.0.82.2' }] } },
        health: { names: [FILMS], intervalSeconds: 1, timeoutSeconds: 1 },
      },
    });
    await service.household([HOME]);
    for (const name of [FILMS, 'other.example']) await askUdp(service.udp, HOME, { name });
    const target = new URL(service.metricsUrl).host;
    const config = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [join(FOLDER, 'alerts.yaml')],
      scrape_configs: [{ job_name: 'mediastreamer', static_configs: [{ targets: [target] }] }],
    };
    // JSON is YAML.
    writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config));
    const listen = `127.0.0.1:${await freePort()}`;
    url = `http://${listen}`;
    prometheus = new Program('prometheus', [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${listen}`,
    ]);
    await until(
      async () =>
        (await results(`count_over_time(up{job="mediastreamer"}[1m]) > 3`).catch(() => [])).length > 0,
      'Prometheus has scraped four times',
    );
  });
  afterAll(async () => {
    prometheus?.kill('SIGTERM');
    await prometheus?.exited;
    await service?.stop();
    await upstream?.stop();
    await redis?.stop();
  });

  async function results(query: string): Promise<{ value: [number, string] }[]> {
    const reply = await fetch(`${url}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query }),
    });
    const { status, error, data } = (await reply.json()) as {
      status: string;
      error?: string;
      data: { result: { value: [number, string] }[] };
    };
    if (status !== 'success') throw new Error(`${query}: ${error}`);
    return data.result;
  }

  it('name metrics that are there', async () => {
    const known = new Set((await service.metrics()).match(/(?<=^# TYPE )\S+/gm));
    const used = queries.flatMap(([place, query]) =>
      [...query.matchAll(/\b(?:mediastreamer|process|nodejs)_\w+/g)].map(
        ([metric]) => [place, metric.replace(/_bucket$/, '')] as const,
      ),
    );
    expect(used.filter(([, metric]) => !known.has(metric))).toEqual([]);
    expect(used.length).toBeGreaterThan(60);
  });

  it('have a result on a host with all roles, but for what nobody has done there', async () => {
    const nothing: string[] = [];
    for (const [place, query] of panelQueries()) {
      // A selector without samples is a misspelt label, or something that has not happened.
      if ((await results(query)).length === 0) nothing.push(place);
    }
    expect(nothing).toEqual(NOT_HAPPENED);
  });

  it('are evaluated as alerts, and a region whose relay is not there has its alert', async () => {
    interface Evaluated {
      readonly name: string;
      readonly state: string;
      readonly health: string;
    }
    const evaluated = async (): Promise<Evaluated[]> => {
      const reply = await fetch(`${url}/api/v1/rules`);
      const { data } = (await reply.json()) as { data: { groups: { rules: Evaluated[] }[] } };
      return data.groups.flatMap((group) => group.rules);
    };
    const isActive = ({ name, state }: Evaluated) => name === 'RegionDown' && state !== 'inactive';
    await until(async () => (await evaluated()).some(isActive), 'RegionDown is pending');
    const all = await evaluated();
    expect(all.map(({ name }) => name)).toEqual(names);
    expect(all.filter(({ health }) => health !== 'ok')).toEqual([]);
  });

  it('say nothing by service', () => {
    expect(queries.filter(([, query]) => /\bservice\b/.test(query))).toEqual([]);
  });

  it('and the metrics themselves have no finding of promtool', async () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: await service.metrics(),
      encoding: 'utf8',
    });
    expect({ status, output: stdout + stderr }).toEqual({ status: 0, output: '' });
  });
});

/** Panels of what has not happened in the test: no relay was reached, and no connection was carried. */
const NOT_HAPPENED = [
  'fleet.json: Handshake through a relay',
  'fleet.json: Bytes relayed by region',
  'fleet.json: Relay connections that failed, by outcome',
];

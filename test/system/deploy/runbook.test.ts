/** Sections of the runbook, followed by their letter on a service in the state that their alert is about. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askUdp, encodeQuery, shown, UdpClient } from '../../support/dns-client.ts';
import { drop, FakeUpstream } from '../../support/fake-upstream.ts';
import { freePort, RedisServer } from '../../support/redis-server.ts';
import { FILMS, RELAY, ROOT, RunningService, runProgram, until } from '../../support/service.ts';

const HOME = '127.0.83.1';
const RUNBOOK = readFileSync(join(ROOT, 'config/deploy/prometheus/runbook.md'), 'utf8');

/** The words between backquotes in a section. A drill uses these and no others. */
function quoted(section: string): string[] {
  const text = new RegExp(`^## ${section}\n([\\s\\S]+?)(?=\n## |$(?![\\s\\S]))`, 'm').exec(RUNBOOK)![1]!;
  return [...text.matchAll(/`([^`]+)`/g)].map(([, word]) => word!.replaceAll(/\s+/g, ' '));
}

/** Runs the section's `curl M/readyz`. */
function readyz(
  section: string,
  service: RunningService,
): { ready: boolean; checks: { name: string; state: string }[] } {
  const command = quoted(section).find((word) => word === 'curl M/readyz')!;
  const [program, url] = command.replace('M', service.metricsUrl).split(' ');
  return JSON.parse(spawnSync(program!, ['-s', url!], { encoding: 'utf8' }).stdout);
}

function changeConfig(service: RunningService, change: (config: Record<string, unknown>) => object): void {
  const file = join(service.folder, 'config.yaml');
  writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, 'utf8')))));
}

describe('AllowlistEmpty', () => {
  it('ends by the file of a healthy edge', async () => {
    const word = quoted('AllowlistEmpty').find((one) => one.startsWith('dataDir/'))!;
    const redis = await RedisServer.start();
    const control = await RunningService.start({ config: { roles: ['control', 'edge'], store: redis.url } });
    await control.household([HOME]);
    const path = (service: RunningService) => word.replace('dataDir', service.dataDir);
    await until(() => existsSync(path(control)), 'the healthy edge has written its allowlist');
    const config = { roles: ['edge'], store: `redis://127.0.0.1:${await freePort()}` };
    let edge = await RunningService.start({ config });
    expect(await edge.metrics()).toContain('mediastreamer_allowlist_state{state="empty"} 1');
    expect(shown(await askUdp(edge.udp, HOME, { name: FILMS }))).toBe('REFUSED');
    await edge.stop();
    copyFileSync(path(control), path(edge));
    edge = await RunningService.start({ folder: edge.folder });
    await until(
      async () => shown(await askUdp(edge.udp, HOME, { name: FILMS })) === `NOERROR ${RELAY.us.address}`,
      'the edge serves the home',
    );
    expect((await fetch(`${edge.metricsUrl}/readyz`)).status).toBe(200);
    await Promise.all([edge.stop(), control.stop()]);
    await redis.stop();
  });
});

describe('on one service', () => {
  let service: RunningService;
  let silent: FakeUpstream;
  let good: FakeUpstream;
  beforeAll(async () => {
    silent = await FakeUpstream.start({ udp: drop() });
    good = await FakeUpstream.start();
    service = await RunningService.start({
      config: { upstreams: [silent.url], readiness: { upstreamsDownSeconds: 1 } },
    });
    await service.household([HOME]);
  });
  afterAll(async () => {
    await service.stop();
    await silent.stop();
    await good.stop();
  });

  it('UpstreamsDown ends by another resolver and SIGHUP', async () => {
    const client = await UdpClient.open(HOME);
    client.send(service.udp, encodeQuery({ name: 'www.example' }));
    await until(() => !readyz('UpstreamsDown', service).ready, 'not ready');
    const { checks } = readyz('UpstreamsDown', service);
    expect(checks.find(({ name }) => name === 'upstreams')).toMatchObject({ state: 'down' });
    expect(quoted('UpstreamsDown')).toContain('upstreams');
    changeConfig(service, (config) => ({ ...config, upstreams: [good.url] }));
    service.kill('SIGHUP');
    await until(() => readyz('UpstreamsDown', service).ready, 'ready again');
    expect(shown(await client.ask(service.udp, { name: 'another.example' }))).toBe('NOERROR 192.0.2.1');
    client.close();
  });

  it('ReloadFailed ends by the line that the log names, check-config and SIGHUP', async () => {
    const file = join(service.folder, 'config.yaml');
    changeConfig(service, (config) => ({ ...config, defaultRegion: 'nowhere' }));
    service.kill('SIGHUP');
    await until(
      async () => (await service.metrics()).includes('mediastreamer_reload_success 0'),
      'it failed',
    );
    const [logged] = quoted('ReloadFailed');
    const line = service.lines.find(({ msg }) => msg.startsWith(logged!))!;
    expect(JSON.stringify(line['errors'])).toMatch(/config\.yaml:\d+: defaultRegion: /);
    const command = quoted('ReloadFailed').find((word) => word.startsWith('mediastreamer '))!;
    const check = () => runProgram([...command.split(' ').slice(1), '--config', file]);
    expect((await check()).code).toBe(1);
    changeConfig(service, (config) => ({ ...config, defaultRegion: 'us' }));
    expect((await check()).code).toBe(0);
    service.kill('SIGHUP');
    await until(
      async () => (await service.metrics()).includes('mediastreamer_reload_success 1'),
      'it is good',
    );
  });
});

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { askTcp } from '../support/dns-client.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import {
  FILMS,
  RELAY,
  RunningService,
  runProgram,
  temporaryFolder,
  writeConfig,
} from '../support/service.ts';

const HOME = '127.0.0.5';
const CATALOG = /, with catalog [\da-f]{12}$/;

async function explain(config: string, ...args: string[]) {
  const { code, stdout, stderr } = await runProgram(['explain', '--config', config, ...args]);
  const [head, ...lines] = stdout.trimEnd().split('\n');
  expect(head).toMatch(CATALOG);
  return { code, lines: [head.replace(CATALOG, ''), ...lines], stderr };
}

describe('explain, of a running edge', () => {
  let service: RunningService;
  let config: string;
  beforeAll(async () => {
    const upstream = await FakeUpstream.start();
    service = await RunningService.start({ config: { upstreams: [upstream.url] } });
    config = join(service.folder, 'config.yaml');
    await service.household([HOME], { region: 'gb' });
  });

  it('tells gate, name, region and answer of a catalog name', async () => {
    expect(await explain(config, `www.${FILMS}`, '--from', HOME)).toEqual({
      code: 0,
      lines: [
        `www.${FILMS} A from ${HOME}, by the running edge`,
        `  gate    ${HOME} is registered: region gb, by IPv4`,
        `  name    in the catalog: service films, by ${FILMS}; taken from gb`,
        `  relays  ${RELAY.gb.address} not probed; ${RELAY.gb.address6} not probed`,
        `  answer  NOERROR: A ${RELAY.gb.address} (TTL 60)`,
      ],
      stderr: '',
    });
    const { lines } = await explain(config, FILMS, 'AAAA', '--from', HOME);
    expect(lines.at(-1)).toBe('  answer  NOERROR, without records');
  });

  it('tells that a stranger is refused, and that another name is in the cache once it was asked for', async () => {
    const stranger = await explain(config, FILMS, '--from', '127.0.0.6');
    expect(stranger.lines[1]).toMatch(
      /127\.0\.0\.6 is not registered, or its account is suspended: REFUSED \(EDE 18\)/,
    );
    expect((await explain(config, 'w.example', '--from', HOME)).lines.slice(2)).toEqual([
      '  name    in no list: resolved as usual',
      '  cache   not in the cache: the upstreams are asked',
      '  answer  what the upstreams answer',
    ]);
    await askTcp(service.tcp, HOME, { name: 'w.example' });
    expect((await explain(config, 'w.example', '--from', HOME)).lines[3]).toMatch(
      /in the cache, for \d+ s more/,
    );
  });

  it('is for the user of the edge alone, and leaves no trace in log and metrics', async () => {
    expect(statSync(join(service.dataDir, 'operator.sock')).mode & 0o777).toBe(0o600);
    expect(service.output).not.toContain('w.example');
    expect(await service.metrics()).toContain(
      'mediastreamer_queries_total{transport="tcp",verdict="steered"} 0',
    );
  });
});

describe('explain, where no edge runs', () => {
  it('tells by the configuration alone, as if registered', async () => {
    const config = writeConfig(temporaryFolder());
    expect((await explain(config, FILMS, '--from', '192.0.2.77')).lines).toEqual([
      `${FILMS} A from 192.0.2.77, by the configuration, as if registered (no edge runs here)`,
      '  gate    192.0.2.77 is registered: region us, by IPv4 and IPv6',
      `  name    in the catalog: service films, by ${FILMS}; taken from us`,
      `  relays  ${RELAY.us.address} not probed; ${RELAY.us.address6} not probed`,
      `  answer  NOERROR: A ${RELAY.us.address} (TTL 60)`,
    ]);
    expect((await explain(config, 'localhost', 'AAAA', '--from', '192.0.2.77')).lines.at(-1)).toBe(
      '  answer  NOERROR: AAAA ::1 (TTL 3600)',
    );
  });

  it.each([
    [[FILMS], 'expected --from with an address'],
    [[FILMS, '--from', 'home'], 'expected --from with an address'],
    [['--from', HOME], 'expected a name and at most a type'],
    [[FILMS, 'NOTYPE', '--from', HOME], 'expected a type such as A, AAAA or TYPE65'],
  ])('%j is bad usage', async (args, fault) => {
    const { code, stderr } = await runProgram(['explain', ...args]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(fault)]);
  });
});

/** The shipped configurations as operators use them: copied anywhere, and run as they are but for addresses. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { askUdp, shown } from '../../support/dns-client.ts';
import { FakeUpstream } from '../../support/fake-upstream.ts';
import { MAIN, NODE, Program, ROOT, runProgram, temporaryFolder } from '../../support/service.ts';

const ENVIRONMENT = {
  MEDIASTREAMER_CONTROL_PASSWORD: 'secret',
  MEDIASTREAMER_EDGE_PASSWORD: 'secret',
  MEDIASTREAMER_PUBLIC_URL: 'https://dns.vpnco.example',
  MEDIASTREAMER_RELAY_US: '8.8.4.4',
  MEDIASTREAMER_RELAY_GB: '9.9.9.9',
  MEDIASTREAMER_ADDRESS: '8.8.8.8',
  MEDIASTREAMER_RELAY_ADDRESS: '8.8.4.4',
};

describe('a shipped configuration', () => {
  it.each([
    'production',
    'deploy/control',
    'deploy/edge',
    'deploy/relay',
    'deploy/edge-relay',
    'deploy/control-edge-relay',
  ])('can be copied anywhere: %s.yaml', async (name) => {
    const file = join(temporaryFolder(), 'config.yaml');
    copyFileSync(join(ROOT, `config/${name}.yaml`), file);
    const { code, stdout, stderr } = await runProgram(['check-config', '--config', file], {
      env: ENVIRONMENT,
    });
    expect({ code, errors: stderr.split('\n').filter((line) => line.includes('error')) }).toEqual({
      code: 0,
      errors: [],
    });
    expect(stdout).toMatch(/catalog +\d{3} services/);
  });
});

describe('edge.yaml', () => {
  it("answers the API's name for a home with a new address, which must resolve it to report the address", async () => {
    const upstream = await FakeUpstream.start();
    const program = new Program(NODE, [MAIN, 'serve', '--config', join(ROOT, 'config/deploy/edge.yaml')], {
      env: {
        ...ENVIRONMENT,
        MEDIASTREAMER_DATA_DIR: join(temporaryFolder(), 'data'),
        MEDIASTREAMER_REDIS: '127.0.0.1:1',
        MEDIASTREAMER_DNS_LISTEN: '127.0.0.1:0',
        MEDIASTREAMER_METRICS_LISTEN: '127.0.0.1:0',
        MEDIASTREAMER_UPSTREAM_1: `127.0.0.1:${upstream.port}`,
        MEDIASTREAMER_UPSTREAM_2: '127.0.0.1:9',
      },
    });
    const { udp } = (await program.logged('ready')) as unknown as { udp: string[] };
    const edge = { host: '127.0.0.1', port: Number(udp[0].split(':')[1]) };
    const stranger = '127.0.0.44';
    expect(shown(await askUdp(edge, stranger, { name: 'other.example' }))).toBe('REFUSED');
    expect(shown(await askUdp(edge, stranger, { name: 'dns.vpnco.example' }))).toMatch(/^NOERROR \d/);
    program.kill('SIGTERM');
    expect(await program.exited).toMatchObject({ code: 0 });
    await upstream.stop();
  });
});

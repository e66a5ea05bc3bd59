/** Notices for probes, with both engines; nobody else gets one. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProbeNotice, readProbeNotice } from '../../src/net/index.ts';
import { until } from '../support/until.ts';
import { helloFor, Origin, RelayBed } from './support.ts';

const [PROBER, HOME, STRANGER] = ['127.0.0.77', '127.0.0.9', '127.0.0.78'] as const;
const NAME = 'www.films.example';

describe.each(['epoll', 'streams'] as const)('a TLS relay by %s, to a probe', (engine) => {
  let bed: RelayBed;
  let origin: Origin;
  beforeAll(async () => {
    origin = await Origin.start();
    bed = await RelayBed.start({
      engine,
      originPort: origin.port,
      policy: { probeSources: [`${PROBER}/32`] },
    });
    bed.register(HOME);
    bed.names.set(NAME, ['127.0.0.1']);
    bed.names.set('forbidden.films.example', ['169.254.169.254']);
  });
  afterAll(async () => {
    await bed.stop();
    origin.stop();
  });

  /** Reads a connection for a name until it is closed. */
  async function told(name: string, from: string = PROBER): Promise<ProbeNotice | null> {
    const client = await bed.dial({ from, allowHalfOpen: false });
    client.socket.write(helloFor(name));
    await client.closed;
    const notice = readProbeNotice(client.received);
    if (notice === null) expect(client.received.length).toBe(0);
    return notice;
  }

  /** Checks that a connection for NAME reaches the origin. */
  async function carries(from: string): Promise<void> {
    const seen = origin.peers.length;
    const client = await bed.dial({ from });
    client.socket.write(helloFor(NAME));
    const server = await origin.peer(seen);
    client.socket.destroy();
    server.socket.destroy();
    await until(() => bed.open === 0, 'it has ended');
  }

  it('reports why a connection failed', async () => {
    expect(await told('other.example')).toBe(ProbeNotice.UNLISTED);
    expect(await told('none.films.example')).toBe(ProbeNotice.UNRESOLVED);
    expect(await told('forbidden.films.example')).toBe(ProbeNotice.FORBIDDEN);
    await carries(PROBER);
  });

  it('knows the probes of an update', async () => {
    await bed.relay.publish({ probeSources: [`${STRANGER}/32`] });
    expect(await told('other.example', STRANGER)).toBe(ProbeNotice.UNLISTED);
    expect(await told('other.example', PROBER)).toBeNull();
    await bed.relay.publish({ probeSources: [`${PROBER}/32`] });
    expect(await told('other.example', STRANGER)).toBeNull();
    await carries(PROBER);
  });

  it('reports nothing to registered devices and strangers', async () => {
    for (const from of [HOME, STRANGER]) {
      for (const name of ['other.example', 'none.films.example', 'forbidden.films.example']) {
        expect(await told(name, from)).toBeNull();
      }
    }
  });

  it('reports that it drains while it does, and still serves devices', async () => {
    await bed.relay.publish({ draining: true });
    expect(await told(NAME)).toBe(ProbeNotice.DRAINING);
    await until(() => bed.count('DRAINING') === 1, 'it is counted');
    expect(await told(NAME, STRANGER)).toBeNull();
    await carries(HOME);
    await bed.relay.publish({ draining: false });
    await carries(PROBER);
  });
});

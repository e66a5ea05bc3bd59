/** An edge with a relay is ready while the machine is merely busy. Threads that stand still: test/cli/thread-watch.test.ts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeQuery, shown, UdpClient } from '../support/dns-client.ts';
import { NODE, RunningService, until } from '../support/service.ts';

const HOME = '127.0.66.1';
/** Longer than a thread may stand still. */
const BUSY_MS = 5000;

interface Check {
  readonly name: string;
  readonly ready: boolean;
  readonly state: string;
  readonly threads?: string;
}

let service: RunningService;

async function readyz(): Promise<{ status: number; check: (name: string) => Check | undefined }> {
  const reply = await fetch(`${service.metricsUrl}/readyz`);
  const { checks } = (await reply.json()) as { checks: Check[] };
  return { status: reply.status, check: (name) => checks.find((check) => check.name === name) };
}

beforeAll(async () => {
  service = await RunningService.start({
    config: {
      roles: ['edge', 'control', 'relay'],
      dns: { workers: 1 },
      regions: { us: { relays: [{ address: '127.0.0.1' }] } },
      relay: { region: 'us', tls: ['127.0.0.1:0'], workers: 1, allowPrivateOrigins: true },
    },
  });
  await service.household([HOME]);
});
afterAll(() => service.stop());

it('asks its own listeners, and is answered', async () => {
  await until(async () => (await readyz()).check('self')?.state === 'answered', 'the edge answers itself');
  expect((await readyz()).status).toBe(200);
});

it('stays ready and answers while other processes keep all processors busy', async () => {
  const hogs: ChildProcess[] = [];
  for (let index = 0; index < 2 * availableParallelism(); index++)
    hogs.push(spawn(NODE, ['-e', 'for (;;);'], { stdio: 'ignore' }));
  const client = await UdpClient.open(HOME);
  try {
    for (const end = performance.now() + BUSY_MS; performance.now() < end; ) {
      const { status, check } = await readyz();
      expect({ status, threads: check('threads'), self: check('self')?.ready }).toEqual({
        status: 200,
        threads: { name: 'threads', ready: true, state: 'moving' },
        self: true,
      });
      client.send(service.udp, encodeQuery({ name: 'a.invalid' }));
    }
    expect(shown(await client.ask(service.udp, { name: 'b.invalid' }))).toBe('NXDOMAIN');
  } finally {
    client.close();
    for (const hog of hogs) hog.kill('SIGKILL');
  }
});

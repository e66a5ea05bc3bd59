import { spawn } from 'node:child_process';
import { expect, it } from 'vitest';
import { applyChanges, type Entries, entriesOf, sorted } from '../contract/store-support.ts';
import { openStore, temporaryDirectory } from './support.ts';

/** Runs the child until it has acknowledged this many calls, then kills it during the next. */
function runAndKill(dataDir: string, acknowledged: number): Promise<string[]> {
  const child = spawn(process.execPath, [new URL('./crash-child.ts', import.meta.url).pathname, dataDir]);
  let output = '';
  return new Promise((resolve) => {
    child.stdout.on('data', (data: Buffer) => {
      output += data;
      if (output.split('\n').length > acknowledged) child.kill('SIGKILL');
    });
    // Ignore a line that the kill truncated.
    child.on('close', () => resolve(output.split('\n').slice(0, -1)));
  });
}

it('has everything acknowledged after kill -9, and a log without a gap', {
  timeout: 60_000,
}, async () => {
  const dataDir = temporaryDirectory();
  const expected = new Map<string, boolean>();
  let lastSeq = 0;
  for (const acknowledged of [40, 150, 400]) {
    for (const line of await runAndKill(dataDir, acknowledged)) {
      const [account, address, seq] = line.split(' ');
      const isRemoved = address.startsWith('-');
      expected.set(`${account} ${isRemoved ? address.slice(1) : address}`, !isRemoved);
      lastSeq = Math.max(lastSeq, Number(seq));
    }
    const store = await openStore(dataDir);
    const { seq } = await store.state();
    expect(seq).toBeGreaterThanOrEqual(lastSeq);
    const changes = await store.changesSince({ seq: 0, limit: 100_000 });
    if (changes === 'gap') throw new Error('the log is not whole');
    expect(changes.map((change) => change.seq)).toEqual(Array.from({ length: seq }, (_, index) => index + 1));
    const followed: Entries = new Map();
    applyChanges(followed, changes);
    expect(sorted(followed)).toEqual(sorted(entriesOf(await store.snapshot())));
    for (const account of await store.listAccounts({ after: null, limit: 100 })) {
      const { registrations } = (await store.readAccount(account.id))!;
      const held = new Set(registrations.map((one) => one.prefix.bytes.join('.')));
      for (const [key, isHeld] of expected) {
        const [id, address] = key.split(' ');
        // An unanswered call may have registered a removed address again.
        if (id === account.id && isHeld) expect(held.has(address), address).toBe(true);
      }
    }
    await store.close();
  }
  expect([...expected.values()].filter(Boolean).length).toBeGreaterThan(300);
});

import { describe, expect, it, onTestFinished } from 'vitest';
import { type Call, runBatch } from '../../src/registry/store/sqlite/batch.ts';
import { openDatabase } from '../../src/registry/store/sqlite/database.ts';
import { SqliteSteps } from '../../src/registry/store/sqlite/steps.ts';
import { MAX_PROFILES, type StoreSteps } from '../../src/registry/store/store.ts';
import { newAccount, registration } from '../contract/store-support.ts';
import { temporaryDirectory } from './support.ts';

function open() {
  const opened = openDatabase(temporaryDirectory(), 'epoch');
  onTestFinished(() => opened.close());
  const steps = new SqliteSteps(opened.database, 1_000);
  let id = 0;
  const call = <Name extends keyof StoreSteps>(name: Name, ...step: Parameters<StoreSteps[Name]>): Call => ({
    id: ++id,
    name,
    step,
  });
  const run = (...calls: Call[]) => runBatch(opened.database, steps, calls);
  return { database: opened.database, steps, call, run };
}

function told(result: ReturnType<typeof runBatch>): unknown[] {
  return result.replies.map((reply) => ('error' in reply ? reply.error.code : 'done'));
}

describe('steps that arrive together', () => {
  it('share a transaction, and see one another', () => {
    const { call, run } = open();
    const result = run(
      call('createAccount', newAccount('a')),
      call('register', registration('a', '198.51.99.7')),
      call('readAccount', 'a'),
    );
    expect(result.replies).toMatchObject([{}, {}, { value: { registrations: [{ label: null }] } }]);
    expect(result.changes.map((change) => change.seq)).toEqual([1]);
  });

  it('fail one by one: the others succeed', () => {
    const { call, run, steps } = open();
    const result = run(
      call('createAccount', newAccount('a')),
      call('createAccount', newAccount('a')),
      call('register', registration('a', '198.51.99.7')),
    );
    expect(told(result)).toEqual(['done', 'store_unavailable', 'done']);
    expect(result.changes).toHaveLength(1);
    expect(steps.steps.state().seq).toBe(1);
  });

  it('leave nothing of a step that failed halfway', () => {
    const { call, run, database, steps } = open();
    run(call('createAccount', newAccount('a')), call('register', registration('a', '198.51.99.7')));
    const fill = database.prepare('INSERT INTO profile (text, uses) VALUES (?, 1)');
    database.exec('BEGIN');
    for (let index = 1; index < MAX_PROFILES; index++) fill.run(`profile ${index}`);
    database.exec('COMMIT');
    const result = run(
      call('updateAccount', { id: 'a', region: 'gb' }),
      call('register', registration('a', '198.51.99.8')),
      call('register', registration('a', '2a00:1450:1:2::')),
    );
    expect(told(result)).toEqual(['too_many_profiles', 'done', 'too_many_profiles']);
    expect(result.changes.map((change) => change.seq)).toEqual([2]);
    const account = steps.steps.readAccount('a')!;
    expect(account.account.region).toBe('us');
    expect(account.registrations).toHaveLength(2);
    const uses = database.prepare("SELECT uses FROM profile WHERE text NOT LIKE 'profile %'").all();
    expect(uses).toEqual([expect.objectContaining({ uses: 2 })]);
  });

  it('all fail on a full disk, change nothing, and work again when there is room', () => {
    const { call, run, database, steps } = open();
    run(call('createAccount', newAccount('a', { perAccount: 9_999 })));
    const pages = database.prepare('PRAGMA page_count').get()!['page_count'] as number;
    database.exec(`PRAGMA max_page_count = ${pages + 4}`);
    let answered = 0;
    let refused = 0;
    for (let index = 0; index < 60; index++) {
      const results = told(
        run(
          ...Array.from({ length: 10 }, (_, part) =>
            call('register', registration('a', `23.0.${index}.${part}`)),
          ),
        ),
      );
      answered += results.filter((one) => one === 'done').length;
      refused += results.filter((one) => one === 'store_unavailable').length;
    }
    expect(refused).toBeGreaterThan(0);
    expect(answered + refused).toBe(600);
    expect(steps.steps.readAccount('a')?.registrations).toHaveLength(answered);
    expect(steps.steps.state().seq).toBe(answered);
    database.exec('PRAGMA max_page_count = 1000000');
    const result = run(call('register', registration('a', '23.1.1.1')));
    expect(result.changes.map((change) => change.seq)).toEqual([answered + 1]);
  });

  it('report when the files may still hold erased bytes', () => {
    const { call, run } = open();
    const made = run(
      call('createAccount', newAccount('a')),
      call('register', registration('a', '198.51.99.7')),
    );
    expect(made.erased).toBe(false);
    expect(run(call('trimLog', 1)).erased).toBe(true);
    expect(run(call('trimLog', 1)).erased).toBe(false);
    expect(run(call('deleteAccount', 'b')).erased).toBe(false);
    expect(run(call('deleteAccount', 'a')).erased).toBe(true);
  });
});

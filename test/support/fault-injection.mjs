/**
 * Loaded by --import into the program under test, in every thread of it: faults whose messages hold what must not
 * be told (the text of TEST_FAULT_TEXT, and what was bound to a statement).
 */
import { existsSync } from 'node:fs';
import { StatementSync } from 'node:sqlite';
import { isMainThread } from 'node:worker_threads';

const text = process.env['TEST_FAULT_TEXT'] ?? '';
const storeFails = process.env['TEST_FAULT_FILE'] ?? '/nonexistent';

class InjectedFault extends Error {
  constructor(...values) {
    super(`${text} ${values.map(String).join(' ')}\n    at ${text} (${text}:1:1)`);
    this.name = text;
    this.code = text;
    this.values = values;
  }
}

for (const name of ['run', 'get', 'all']) {
  const real = StatementSync.prototype[name];
  StatementSync.prototype[name] = function (...values) {
    if (existsSync(storeFails)) throw new InjectedFault(...values);
    return real.apply(this, values);
  };
}

if (isMainThread) {
  process.on('SIGUSR2', () => {
    throw new InjectedFault();
  });
  process.on('SIGWINCH', () => void Promise.reject(new InjectedFault()));
}

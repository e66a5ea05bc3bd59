import type { DatabaseSync } from 'node:sqlite';
import type { Change } from '../../../feed/index.ts';
import type { RegistryError } from '../../errors.ts';
import { STEPS, type StoreSteps } from '../store.ts';
import { toRegistryError } from './sqlite-error.ts';
import type { SqliteSteps } from './steps.ts';

/** A step to do. */
export interface Call {
  id: number;
  name: keyof StoreSteps;
  step: readonly unknown[];
}

/** `changes`: first and last number of the changes that the step made. */
export type Reply =
  | { id: number; value: unknown; changes?: readonly [from: number, to: number] }
  | { id: number; error: RegistryError };

export interface BatchResult {
  changes: Change[];
  replies: Reply[];
  /** True if the files may still hold erased bytes. */
  erased: boolean;
}

/**
 * Does steps that arrived together in one transaction, so that one sync makes all of them durable. Each is atomic by
 * itself (a savepoint). All replies are durable when this returns.
 *
 * @param onError receives the errors of steps as they were thrown
 */
export function runBatch(
  database: DatabaseSync,
  steps: SqliteSteps,
  calls: readonly Call[],
  onError: (error: unknown) => void = () => {},
): BatchResult {
  const convert: Convert = (error) => {
    onError(error);
    return toRegistryError(error);
  };
  if (calls.every((call) => STEPS[call.name] === 'read')) {
    return { changes: [], erased: false, replies: calls.map((call) => read(steps, call, convert)) };
  }
  const result: BatchResult = { changes: [], replies: [], erased: false };
  try {
    database.exec('BEGIN IMMEDIATE');
    for (const call of calls) result.replies.push(write(database, steps, call, result, convert));
    database.exec('COMMIT');
    return result;
  } catch (error) {
    steps.reset();
    rollBack(database);
    const shared = convert(error);
    return { changes: [], erased: false, replies: calls.map(({ id }) => ({ id, error: shared })) };
  }
}

type Convert = (error: unknown) => RegistryError;

/** @throws if the whole transaction is lost */
function write(
  database: DatabaseSync,
  steps: SqliteSteps,
  call: Call,
  result: BatchResult,
  convert: Convert,
): Reply {
  if (STEPS[call.name] === 'read') return read(steps, call, convert);
  database.exec('SAVEPOINT step');
  try {
    const value = invoke(steps, call);
    database.exec('RELEASE step');
    const { changes, erased } = steps.take();
    for (const change of changes) result.changes.push(change);
    result.erased ||= erased;
    if (changes.length === 0) return { id: call.id, value };
    return { id: call.id, value, changes: [changes[0].seq, changes[changes.length - 1].seq] };
  } catch (error) {
    // Some errors (disk full, I/O) end the transaction by themselves, with the steps before this one.
    if (!database.isTransaction) throw error;
    database.exec('ROLLBACK TO step; RELEASE step');
    steps.reset();
    return { id: call.id, error: convert(error) };
  }
}

function read(steps: SqliteSteps, call: Call, convert: Convert): Reply {
  try {
    return { id: call.id, value: invoke(steps, call) };
  } catch (error) {
    return { id: call.id, error: convert(error) };
  }
}

function invoke(steps: SqliteSteps, call: Call): unknown {
  return (steps.steps[call.name] as (...step: readonly unknown[]) => unknown)(...call.step);
}

function rollBack(database: DatabaseSync): void {
  try {
    if (database.isTransaction) database.exec('ROLLBACK');
  } catch {
    // SQLite rolls it back when the file is opened next.
  }
}

import type { Service } from '../../src/catalog/index.ts';
import { HEADER_BYTES, nameFromText, parseQuestion, Question } from '../../src/wire/index.ts';

/** A question for A of a name, parsed as a listener would. */
export function question(text: string, seed: number): Question {
  const name = nameFromText(text);
  if (name === null) throw new TypeError(`${text} is not a name`);
  const message = new Uint8Array(HEADER_BYTES + name.length + 4);
  message.set(name, HEADER_BYTES);
  message.set([0, 1, 0, 1], HEADER_BYTES + name.length);
  const out = new Question();
  if (!parseQuestion(message, message.length, seed, out)) throw new TypeError(`${text} was not parsed`);
  return out;
}

/** A service with defaults for what a test does not care about. */
export function service(id: string, parts: Partial<Service> = {}): Service {
  return {
    service: id,
    title: id,
    regions: ['us'],
    names: [],
    exact: [],
    verified: 'imported',
    source: null,
    check: null,
    file: `${id}.yaml`,
    ...parts,
  };
}

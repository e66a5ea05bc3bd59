import { HEADER_BYTES, nameFromText, parseQuestion, Question } from '../../wire/index.ts';
import { NameTable, type NameTableHandle, NO_SERVICE } from '../name-table.ts';

/** Indexes of a name's service and group (0: none). */
export interface FoundName {
  readonly service: number;
  readonly group: number;
}

const CLASS_AND_TYPE = [0, 1, 0, 1];

/** Looks a host name up in the catalog's names, outside the hot path. Null if it is not there. */
export function findName(names: NameTableHandle, seed: number, text: string): FoundName | null {
  const wire = nameFromText(text);
  if (wire === null) return null;
  const message = new Uint8Array(HEADER_BYTES + wire.length + CLASS_AND_TYPE.length);
  message.set(wire, HEADER_BYTES);
  message.set(CLASS_AND_TYPE, HEADER_BYTES + wire.length);
  const question = new Question();
  if (!parseQuestion(message, message.length, seed, question)) return null;
  const table = new NameTable(names);
  const service = table.match(question);
  return service === NO_SERVICE ? null : { service, group: table.matchedGroup };
}

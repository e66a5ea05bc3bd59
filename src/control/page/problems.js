import { say, sayAny } from './say.js';

/** A failed call with the API's stable `code`, or `server_away` and `offline` without a reply. */
export class CallError extends Error {
  /**
   * @param {string} code
   * @param {number} status 0 without a reply
   * @param {{ field: string, expected: string }[]} [fields]
   */
  constructor(code, status, fields) {
    super(code);
    this.name = 'CallError';
    this.code = code;
    this.status = status;
    this.fields = fields || [];
  }
}

/**
 * @param {unknown} error
 * @returns {string} the API's code, or `internal`
 */
export function codeOf(error) {
  return error instanceof CallError ? error.code : 'internal';
}

/**
 * @param {unknown} error what a call threw
 * @returns {string} a sentence
 */
export function sentenceOf(error) {
  const sentence = sayAny(`problem.${codeOf(error)}`);
  if (sentence !== null) return sentence;
  const isOurs = error instanceof CallError && error.status < 500;
  return say(isOurs ? 'problem.refused' : 'problem.internal');
}

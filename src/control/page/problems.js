/** Sentences for people by the code of a failed call. */
const SENTENCES = {
  bad_input: 'Something in that form is not quite right. Please check what you typed.',
  bad_forwarded_for: 'We could not tell which address you are calling from. Please tell your provider.',
  address_not_yours: 'You can only register the network you are on right now.',
  foreign_origin:
    'Your browser says that this call came from another site, so it was refused. Please reload the page.',
  foreign_host:
    'This page was opened by a name that the server does not know. Please use the address you were given.',
  not_found: 'That is no longer there. It may have been removed in another window.',
  too_many_addresses: 'You have registered as many networks as your account allows.',
  hostname_not_yours:
    'That name does not lead to the network you are on. Please check it, or enter it while you are at home.',
  too_many_hostnames: 'You follow as many host names as your account allows. Remove one first.',
  too_many_update_tokens: 'You have as many update passwords as your account allows. Revoke one first.',
  too_many_private_names: 'You have as many private names as your account allows. Remove one first.',
  address_not_public: 'This address is private, so it cannot be registered.',
  too_many_changes: 'You have made many changes in a short time. Please wait a minute and try again.',
  too_many_attempts: 'Too many wrong attempts from this network. Please wait a minute and try again.',
  internal: 'Something went wrong on our side. Please try again in a moment.',
  too_many_profiles: 'That combination of regions cannot be taken right now. Please try another one.',
  store_unavailable:
    'Our records cannot be reached right now. Nothing was changed. Please try again in a moment.',
  server_away: 'We cannot reach the server right now. Please try again in a moment.',
  offline: 'This device is not connected to the internet.',
};

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
  const sentences = /** @type {Record<string, string | undefined>} */ (SENTENCES);
  const sentence = sentences[codeOf(error)];
  if (sentence !== undefined) return sentence;
  const isOurs = error instanceof CallError && error.status < 500;
  return isOurs ? 'The server did not take that. Please reload the page and try again.' : SENTENCES.internal;
}

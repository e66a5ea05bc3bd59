import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import MessageFormat from '@messageformat/core';
import compileModule from '@messageformat/core/lib/compile-module.js';
import { plural } from '@messageformat/runtime';
import * as cardinals from '@messageformat/runtime/lib/cardinals';
import { ENGLISH, LANGUAGES, type Language } from './language.ts';

export type Messages = Readonly<Record<string, string>>;

/** The package's types describe `module.exports.default`; Node imports `module.exports`, which is the same. */
const Format = MessageFormat as unknown as typeof MessageFormat.default;
const compile = compileModule as unknown as typeof compileModule.default;

const FOLDER = join(import.meta.dirname, '../page/messages');

/** Returns the files that a language's messages come from. */
export function messageFiles({ tag }: Language): string[] {
  return [ENGLISH.tag, tag].map((name) => join(FOLDER, `${name}.json`));
}

/** Reads the messages of a language. English stands in for a message that it lacks. */
export async function readMessages(language: Language): Promise<Messages> {
  const read = async (path: string) => JSON.parse(await readFile(path, 'utf8')) as Messages;
  const all = await Promise.all(messageFiles(language).map(read));
  return Object.assign({}, ...all);
}

/**
 * Compiles messages in ICU's syntax to a script that sets `pageTexts`. Browsers load one language, and neither a parser
 * nor the plural rules of others.
 */
export function compileMessages({ tag }: Language, messages: Messages): string {
  const compiled = compile(new Format(tag), { ...messages });
  const imports = /^import .*;\n/gm;
  const rule = /^import \{ (\w+) \} from ".*\/cardinals";$/m.exec(compiled)?.[1];
  const languages = LANGUAGES.map((one) => [one.tag, one.name]);
  return [
    // All languages write numbers with the digits that addresses are written in.
    'const number = (tag, value, offset) =>',
    "  new Intl.NumberFormat(tag, { numberingSystem: 'latn' }).format(value - offset);",
    plural.toString(),
    rule === undefined ? '' : `const ${rule} = ${(cardinals as Record<string, unknown>)[rule]};`,
    compiled.replace(imports, '').replace('export default {', 'const messages = {'),
    `globalThis.pageTexts = { language: '${tag}', languages: ${JSON.stringify(languages)}, messages };`,
  ].join('\n');
}

/** The languages of the page: which one is chosen, and that every message is there in each of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, type Token } from '@messageformat/parser';
import { beforeAll, describe, expect, test } from 'vitest';
import { LANGUAGES } from '../../src/control/languages/index.ts';
import { PROBLEMS } from '../../src/control/problem.ts';
import { ControlBench } from '../support/control.ts';

const PAGE = join(import.meta.dirname, '../../src/control/page');
const messagesOf = (tag: string): Record<string, string> =>
  JSON.parse(readFileSync(join(PAGE, 'messages', `${tag}.json`), 'utf8'));
const english = messagesOf('en');

let bench: ControlBench;
beforeAll(async () => {
  bench = await ControlBench.make();
});

describe('a page is in', () => {
  const lang = async (url: string, headers: Record<string, string>) => {
    const { body, headers: fields } = await bench.call('GET', url, { headers });
    expect(fields['vary']).toBe('Accept-Encoding, Accept-Language, Cookie');
    expect(body).toContain(`/page/messages/${fields['content-language']}.js`);
    return /<html lang="([\w-]+)" dir="(\w+)">/.exec(body)!.slice(1).join(' ');
  };

  // biome-ignore format: a table
  test.each(([
    ['the language that the browser prefers', '/', { 'accept-language': 'da, de-AT;q=0.8, en;q=0.5' }, 'de ltr'],
    ['English without a preference', '/', {}, 'en ltr'],
    ['English if it has no preferred one', '/', { 'accept-language': 'da, sv' }, 'en ltr'],
    ['a language that is written to the left', '/sign-in', { 'accept-language': 'ar-EG' }, 'ar rtl'],
    ['simplified Chinese in China', '/', { 'accept-language': 'zh-CN' }, 'zh-Hans ltr'],
    ['no simplified Chinese in Taiwan', '/', { 'accept-language': 'zh-TW, ja;q=0.1' }, 'ja ltr'],
    ["the person's earlier choice", '/', { 'accept-language': 'de', cookie: 'a=b; ms_language=fr' }, 'fr ltr'],
    ['the language asked for', '/?lang=pt-BR', { 'accept-language': 'de', cookie: 'ms_language=fr' }, 'pt ltr'],
    ['another one if the one asked for is not there', '/?lang=tlh', { 'accept-language': 'nl' }, 'nl ltr'],
    ['English for nonsense', '/?lang=%22%3E', { 'accept-language': '"<;;q=x', cookie: 'ms_language=<' }, 'en ltr'],
  ] as const).filter(([, , , expected]) => LANGUAGES.some(({ tag }) => expected.startsWith(tag))))('%s', async (_, url, headers, expected) => {
    expect(await lang(url, headers as Record<string, string>)).toBe(expected);
  });
});

/** Lists placeholders, and for plurals the categories that are written out. */
function shape(tokens: readonly Token[], plurals: string[][] = [], names = new Set<string>()) {
  for (const token of tokens) {
    if (token.type === 'argument') names.add(token.arg);
    if (token.type === 'plural') {
      names.add(token.arg);
      plurals.push(token.cases.map(({ key }) => key).filter((key) => !/^\d/.test(key)));
      for (const { tokens: inner } of token.cases) shape(inner, plurals, names);
    }
  }
  return { plurals, names: [...names].sort() };
}

describe.each(LANGUAGES.filter(({ tag }) => tag !== 'en'))('$name', ({ tag }) => {
  const messages = messagesOf(tag);
  const rules = new Intl.PluralRules(tag).resolvedOptions().pluralCategories;

  test('lacks no message and has no other', () => {
    expect(Object.keys(messages).sort()).toEqual(Object.keys(english).sort());
  });

  test('has the placeholders, marks and plurals of each message', () => {
    for (const [key, text] of Object.entries(messages)) {
      const { names, plurals } = shape(parse(text));
      expect([key, names]).toEqual([key, shape(parse(english[key]!)).names]);
      expect([key, text.split('**').length % 2]).toEqual([key, 1]);
      expect([key, /\[/.test(text)]).toEqual([key, /\[/.test(english[key]!)]);
      // `many` of French, Spanish, Italian and Portuguese is for millions.
      const needed = rules.filter((rule) => rule !== 'many' || ['ar', 'pl'].includes(tag));
      for (const cases of plurals)
        expect([key, needed.filter((rule) => !cases.includes(rule))]).toEqual([key, []]);
    }
  });

  test('is translated', () => {
    const same = Object.keys(messages).filter(
      (key) => messages[key] === english[key] && english[key]!.length > 24,
    );
    expect(same).toEqual(tag === 'en' ? [] : same.filter((key) => /^guide\.resolver$/.test(key)));
  });
});

test('every failure of the API that a person can meet has a sentence', () => {
  const machines = ['bad_json', 'bad_request', 'method_not_allowed', 'request_timeout', 'body_too_large'];
  const others = ['uri_too_long', 'unsupported_media_type', 'idempotency_key_reused', 'headers_too_large'];
  const protocol = ['transfer_coding_not_supported', 'http_version_not_supported'];
  const unmet = new Set([...machines, ...others, ...protocol]);
  const codes = Object.keys(PROBLEMS).filter((code) => !unmet.has(code));
  expect(codes.filter((code) => english[`problem.${code}`] === undefined)).toEqual([]);
});

test('templates name messages that exist, and hold no text of their own', () => {
  for (const name of readdirSync(PAGE).filter((file) => file.endsWith('.html'))) {
    const html = readFileSync(join(PAGE, name), 'utf8');
    const keys = [...html.matchAll(/\{\{([\w.-]+)\}\}/g)].map(([, key]) => key!);
    expect(keys.filter((key) => key !== 'lang' && english[key] === undefined)).toEqual([]);
    const text = html
      .replace(/\{\{[\w.-]+\}\}/g, '')
      .replace(/<[^>]*?(?:aria-label|title|placeholder|alt)="([^"]*)"[^>]*>/g, '$1')
      .replace(/<[^>]*>/g, '');
    expect([name, text.match(/\p{L}+/gu)]).toEqual([name, null]);
  }
});

import type { FileReader } from '../file-reader.ts';
import { describeValue } from '../finding.ts';
import { isDay } from '../verification.ts';
import type { RegionPattern, ReplyPattern, ServiceCheck } from './check.ts';

const KEYS = ['url', 'method', 'verified', 'expect', 'blocked', 'region'];
const REPLY_KEYS = ['status', 'header', 'body'];
const REGION_KEYS = ['header', 'body', 'map'];
const HEADER_NAME = /^[a-z0-9-]{1,64}$/;
const CODE = /^[a-z]{2,3}$/;
const REGION_ID = /^[a-z0-9][a-z0-9-]*$/;
const LONGEST_URL = 2_000;
const LONGEST_TEXT = 200;
const MOST_ITEMS = 10;

type Fields = Record<string, unknown>;
type Path = readonly (string | number)[];

/**
 * Reads `check` of a catalog file and notes every error in it.
 * @param covers tells whether a host is among the service's names
 * @returns null without a check, or after an error
 */
export function readCheck(
  reader: FileReader,
  value: unknown,
  covers: (host: string) => boolean,
): ServiceCheck | null {
  if (value === undefined || value === null) return null;
  const before = reader.findings.length;
  const check = new CheckReader(reader).read(value, covers);
  return reader.findings.slice(before).some(({ severity }) => severity === 'error') ? null : check;
}

class CheckReader {
  private readonly reader: FileReader;

  constructor(reader: FileReader) {
    this.reader = reader;
  }

  read(value: unknown, covers: (host: string) => boolean): ServiceCheck | null {
    const fields = this.mapping(['check'], value, KEYS);
    if (fields === null) return null;
    const { method = 'GET', verified = false } = fields;
    if (method !== 'GET' && method !== 'HEAD') this.note(['check', 'method'], method, 'GET or HEAD');
    return {
      url: this.url(fields['url'], covers),
      method: method as 'GET' | 'HEAD',
      verified: this.verified(verified),
      expect: this.reply(['check', 'expect'], fields['expect']),
      blocked: fields['blocked'] === undefined ? null : this.reply(['check', 'blocked'], fields['blocked']),
      region: fields['region'] === undefined ? null : this.region(fields['region']),
    };
  }

  private url(value: unknown, covers: (host: string) => boolean): string {
    const path = ['check', 'url'];
    const url = typeof value === 'string' && value.length <= LONGEST_URL ? URL.parse(value) : null;
    const isPlain = url !== null && url.protocol === 'https:' && url.username === '' && url.port === '';
    if (!isPlain || url.hash !== '') {
      this.note(path, value, 'an https URL without user, port and fragment');
      return '';
    }
    if (!covers(url.hostname)) this.note(path, url.hostname, "a host that is among the service's names");
    return url.href;
  }

  private verified(value: unknown): string | null {
    if (value === false) return null;
    const day = typeof value === 'string' ? /^checked (\d{4}-\d{2}-\d{2})$/.exec(value)?.[1] : undefined;
    if (day !== undefined && isDay(day)) return day;
    this.note(['check', 'verified'], value, 'false, or checked DATE; DATE as 2026-11-30');
    return null;
  }

  private reply(path: Path, value: unknown): ReplyPattern {
    const fields = this.mapping(path, value, REPLY_KEYS);
    if (fields === null || Object.keys(fields).length === 0) {
      this.note(path, value, 'a mapping with status, header or body');
      return { status: [], header: {}, body: [] };
    }
    const isStatus = (item: unknown) =>
      Number.isInteger(item) && (item as number) >= 200 && (item as number) <= 599;
    const status = this.items([...path, 'status'], fields['status']);
    for (const item of status)
      if (!isStatus(item)) this.note([...path, 'status'], item, 'a status from 200 to 599');
    const body = this.items([...path, 'body'], fields['body']);
    for (const item of body) this.isText([...path, 'body'], item);
    const header = this.header([...path, 'header'], fields['header']);
    return { status: status as number[], header, body: body as string[] };
  }

  private header(path: Path, value: unknown): Record<string, string> {
    if (value === undefined) return {};
    const fields = this.mapping(path, value, null) ?? {};
    const header: Record<string, string> = {};
    for (const [name, text] of Object.entries(fields)) {
      if (!HEADER_NAME.test(name))
        this.note([...path, name], name, 'the name of a header field in lower case');
      else if (this.isText([...path, name], text)) header[name] = (text as string).toLowerCase();
    }
    return header;
  }

  private region(value: unknown): RegionPattern {
    const path = ['check', 'region'];
    const fields = this.mapping(path, value, REGION_KEYS) ?? {};
    const { header, body } = fields;
    if (header === undefined && body === undefined) this.note(path, value, 'header or body');
    if (header !== undefined && (typeof header !== 'string' || !HEADER_NAME.test(header))) {
      this.note([...path, 'header'], header, 'the name of a header field in lower case');
    }
    if (body !== undefined) this.isText([...path, 'body'], body);
    return {
      header: (header as string | undefined) ?? null,
      after: (body as string | undefined) ?? null,
      map: this.map(fields['map']),
    };
  }

  private map(value: unknown): Record<string, string> {
    const path = ['check', 'region', 'map'];
    if (value === undefined) return {};
    const map: Record<string, string> = {};
    for (const [code, region] of Object.entries(this.mapping(path, value, null) ?? {})) {
      const isRegion = typeof region === 'string' && REGION_ID.test(region);
      if (!CODE.test(code.toLowerCase())) this.note([...path, code], code, 'a code of two or three letters');
      else if (!isRegion) this.note([...path, code], region, 'a region such as us');
      else map[code.toLowerCase()] = region;
    }
    return map;
  }

  /** One item or a list of items. */
  private items(path: Path, value: unknown): unknown[] {
    const items = value === undefined ? [] : Array.isArray(value) ? value : [value];
    if (items.length > MOST_ITEMS) this.note(path, `${items.length} items`, `at most ${MOST_ITEMS}`);
    return items;
  }

  private isText(path: Path, value: unknown): boolean {
    if (typeof value === 'string' && value.length > 0 && value.length <= LONGEST_TEXT) return true;
    this.note(path, value, `a text of 1 to ${LONGEST_TEXT} characters`);
    return false;
  }

  private mapping(path: Path, value: unknown, keys: readonly string[] | null): Fields | null {
    if (value === undefined || value === null) return null;
    if (typeof value !== 'object' || Array.isArray(value)) {
      this.note(path, value, keys === null ? 'a mapping' : `a mapping of ${keys.join(', ')}`);
      return null;
    }
    for (const key of Object.keys(value)) {
      if (keys !== null && !keys.includes(key)) {
        this.reader.note(
          this.reader.line([...path, key]),
          [...path, key].join('.'),
          'an unknown key',
          keys.join(', '),
        );
      }
    }
    return value as Fields;
  }

  private note(path: Path, found: unknown, expected: string): void {
    this.reader.note(this.reader.line(path), path.join('.'), describeValue(found), expected);
  }
}

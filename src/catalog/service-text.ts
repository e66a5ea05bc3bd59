import { stringify } from 'yaml';
import type { RegionPattern, ReplyPattern, ServiceCheck } from './check/check.ts';
import type { Service } from './service.ts';

/** Content of a catalog file; `comment` goes on top, one line each. */
export interface ServiceText extends Omit<Service, 'file'> {
  readonly comment: readonly string[];
}

/** Formats a scalar. Quotes what YAML 1.1 takes for a boolean, such as the region `no`. */
function scalar(value: string): string {
  return stringify(value, { compat: 'yaml-1.1', lineWidth: 0, defaultStringType: 'PLAIN' }).trimEnd();
}

function list(key: string, values: readonly string[]): string[] {
  return values.length === 0 ? [] : [`${key}:`, ...values.map((value) => `  - ${scalar(value)}`)];
}

/** Formats a check as `read-check.ts` reads it. */
function checkText({ verified, expect, blocked, region, ...request }: ServiceCheck): string {
  const check = {
    ...request,
    verified: verified === null ? false : `checked ${verified}`,
    expect: replyText(expect),
    ...(blocked !== null && { blocked: replyText(blocked) }),
    ...(region !== null && { region: regionText(region) }),
  };
  return stringify({ check }, { compat: 'yaml-1.1', lineWidth: 0 }).trimEnd();
}

function replyText({ status, header, body }: ReplyPattern) {
  return {
    ...(status.length > 0 && { status }),
    ...(Object.keys(header).length > 0 && { header }),
    ...(body.length > 0 && { body }),
  };
}

function regionText({ header, after, map }: RegionPattern) {
  return {
    ...(header !== null && { header }),
    ...(after !== null && { body: after }),
    ...(Object.keys(map).length > 0 && { map }),
  };
}

/** Formats a catalog file with one name a line, for readable diffs. */
export function formatServiceFile(service: ServiceText): string {
  const lines = [
    ...service.comment.map((line) => `# ${line}`.trimEnd()),
    `service: ${scalar(service.service)}`,
    `title: ${scalar(service.title)}`,
    `regions: [${service.regions.map(scalar).join(', ')}]`,
    `verified: ${service.verified}`,
    ...(service.source === null ? [] : [`source: ${scalar(service.source)}`]),
    ...list('names', service.names),
    ...list('exact', service.exact),
    ...(service.check === null ? [] : [checkText(service.check)]),
  ];
  return `${lines.join('\n')}\n`;
}

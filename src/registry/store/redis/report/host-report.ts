import { formatAddress, parseAddress } from '../../../../net/index.ts';

/** Upper bound of a report as JSON. */
export const MAX_REPORT_BYTES = 4_096;
const MAX_ADDRESSES = 64;
const ROLES = ['control', 'edge', 'relay'];

/** Facts that a host of the service tells the others about itself. Nothing in it is about a home. */
export interface HostReport {
  readonly roles: readonly string[];
  /** The host's own addresses, canonical. */
  readonly addresses: readonly string[];
}

/** Formats a report; leaves addresses past the limit out. */
export function formatReport({ roles, addresses }: HostReport): string {
  return JSON.stringify({ version: 1, roles, addresses: addresses.slice(0, MAX_ADDRESSES) });
}

/** Checks a report that another host wrote. @returns null for anything malformed; unknown fields are ignored */
export function parseReport(text: string): HostReport | null {
  if (Buffer.byteLength(text) > MAX_REPORT_BYTES) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const { version, roles, addresses } = (value ?? {}) as Record<string, unknown>;
  if (version !== 1 || !isTexts(roles) || !isTexts(addresses)) return null;
  if (addresses.length > MAX_ADDRESSES || roles.some((role) => !ROLES.includes(role))) return null;
  const parsed = addresses.map(parseAddress);
  if (!parsed.every((address) => address !== null)) return null;
  return { roles, addresses: parsed.map(formatAddress) };
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

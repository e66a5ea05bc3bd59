import { InvalidFieldError } from './errors.ts';

/** A step may write all addresses of an account, and other calls wait for it. */
const MAX_PER_ACCOUNT = 10_000;
const MAX_LABEL_LENGTH = 255;
const MAX_SERVICES = 256;
const MAX_PAGE = 1_000;
const SERVICE_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** Returns the value, as all checks here do. @throws InvalidFieldError */
export function checkRegion(region: string, regions: readonly string[]): string {
  if (!regions.includes(region)) throw new InvalidFieldError('region', `one of ${regions.join(', ')}`);
  return region;
}

export function checkPerAccount(perAccount: number): number {
  if (!Number.isInteger(perAccount) || perAccount < 1 || perAccount > MAX_PER_ACCOUNT) {
    throw new InvalidFieldError('perAccount', `a whole number from 1 to ${MAX_PER_ACCOUNT}`);
  }
  return perAccount;
}

/** Does not look services up in the catalog: edges may have another one. @throws InvalidFieldError */
export function checkServices(services: Record<string, string>, regions: readonly string[]): void {
  const entries = Object.entries(services);
  if (entries.length > MAX_SERVICES)
    throw new InvalidFieldError('services', `at most ${MAX_SERVICES} services`);
  for (const [service, region] of entries) {
    if (!SERVICE_NAME.test(service)) {
      throw new InvalidFieldError('services', 'names of lower-case letters, digits and hyphens');
    }
    if (region !== 'off' && !regions.includes(region)) {
      throw new InvalidFieldError('services', `for each service off, or one of ${regions.join(', ')}`);
    }
  }
}

export function checkLabel(label: string | null | undefined): string | null | undefined {
  if (label != null && label.length > MAX_LABEL_LENGTH) {
    throw new InvalidFieldError('label', `at most ${MAX_LABEL_LENGTH} characters`);
  }
  return label;
}

export function checkPageLimit(limit: number): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
    throw new InvalidFieldError('limit', `a whole number from 1 to ${MAX_PAGE}`);
  }
  return limit;
}

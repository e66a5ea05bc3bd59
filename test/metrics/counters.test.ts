import { describe, expect, it } from 'vitest';
import { QueryVerdict } from '../../src/dns/verdict.ts';
import {
  answerCounter,
  cacheCounter,
  connectionCounter,
  controlCounter,
  controlRoute,
  FAMILIES,
  limitedConnectionCounter,
  openConnections,
  Counter as plain,
  queryCounter,
  queryDuration,
  SLOTS,
  XDP_FRAMES,
} from '../../src/metrics/counters.ts';
import {
  CacheLookup,
  CONTROL_ROUTES,
  QueryPath,
  STATUS_CLASSES,
  Transport,
} from '../../src/metrics/labels.ts';

const transports = Object.values(Transport);
const streams = transports.filter((transport) => transport !== Transport.UDP);
/** TAKEN, MALFORMED, CHECKSUM, SPOOFED, STRAY of sys/xdp, and unsent answers. */
const XDP_RESULTS = 6;
const RCODES = [0, 1, 2, 3, 4, 5, 16, 23];

describe('counters', () => {
  it('give every label combination its own slot and leave none unused', () => {
    const widths = new Map(FAMILIES.map(({ base, width }) => [base, width]));
    const indexes = [
      ...Object.values(plain),
      ...transports.flatMap((t) => Object.values(QueryVerdict).map((v) => queryCounter(t, v))),
      ...transports.flatMap((t) => RCODES.map((rcode) => answerCounter(t, rcode))),
      ...Object.values(CacheLookup).map(cacheCounter),
      ...streams.flatMap((t) => [openConnections(t), connectionCounter(t), limitedConnectionCounter(t)]),
      ...Array.from({ length: XDP_RESULTS }, (_, result) => XDP_FRAMES + result),
      ...CONTROL_ROUTES.flatMap((_, route) =>
        STATUS_CLASSES.map((_, s) => controlCounter(route, 200 + 100 * s)),
      ),
      ...Object.values(QueryPath).flatMap((path) => {
        const width = widths.get(queryDuration(QueryPath.FAST)) as number;
        return Array.from({ length: width }, (_, i) => queryDuration(path) + i);
      }),
    ];
    expect(indexes.toSorted((a, b) => a - b)).toEqual(Array.from({ length: SLOTS }, (_, i) => i));
  });

  it('count all other rcodes together', () => {
    const other = answerCounter(Transport.TCP, 23);
    for (const rcode of [6, 9, 15, 17, 4095]) expect(answerCounter(Transport.TCP, rcode)).toBe(other);
  });

  it('find a control route by its pattern, whatever its parameter names', () => {
    expect(controlRoute('/v1/accounts/:accountId/registrations/:registrationId')).toBe(
      CONTROL_ROUTES.indexOf('/v1/accounts/:id/registrations/:id'),
    );
    const other = CONTROL_ROUTES.indexOf('other');
    expect(controlRoute('/v1/accounts/Zx81/registrations')).toBe(other);
    expect(controlRoute(undefined)).toBe(other);
  });

  it('stay within the status classes', () => {
    expect(controlCounter(0, 101)).toBe(controlCounter(0, 200));
    expect(controlCounter(0, 404)).toBe(controlCounter(0, 401));
    expect(controlCounter(0, 999)).toBe(controlCounter(0, 500));
  });

  it("have names and help texts in Prometheus' form", () => {
    for (const { type, name, help, labels } of FAMILIES) {
      expect(name).toMatch(/^mediastreamer_[a-z_]+$/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      expect(help).not.toBe('');
      for (const label of Object.keys(labels)) expect(label).toMatch(/^[a-z]+$/);
    }
    expect(new Set(FAMILIES.map(({ name }) => name)).size).toBe(FAMILIES.length);
  });
});

import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { formatAddress } from '../../net/index.ts';
import type { LoadPlan } from '../plan.ts';

/** A connection that ended is made again after so long. */
export const RECONNECT_MS = 200;

/** Where connections go to and come from, as node's connect functions take it. */
export function endpoints(plan: LoadPlan, localAddress: string | undefined) {
  const host = formatAddress(plan.target.address);
  return { host, port: plan.target.port, noDelay: true, ...(localAddress && { localAddress }) };
}

/** TLS by the plan's trust; the name that is verified is the target's address where none is given. */
export function tlsOptions(plan: LoadPlan, alpn: string): ConnectionOptions {
  const { ca, serverName, verifies } = plan.tls;
  return {
    ALPNProtocols: [alpn],
    minVersion: 'TLSv1.2',
    rejectUnauthorized: verifies,
    ...(ca !== null && { ca }),
    ...(serverName !== null && { servername: serverName }),
  };
}

/** Opens a TCP connection, or DNS over TLS (RFC 7858) on one. */
export function openStream(plan: LoadPlan, localAddress: string | undefined): Socket {
  const to = endpoints(plan, localAddress);
  return plan.transport === 'tls' ? connectTls({ ...to, ...tlsOptions(plan, 'dot') }) : connectTcp(to);
}

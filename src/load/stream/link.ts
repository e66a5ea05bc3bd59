import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { formatAddress } from '../../net/index.ts';
import type { LoadPlan } from '../plan.ts';

/** Delay before a connection that ended is opened again. */
export const RECONNECT_MS = 200;

/** Remote and local endpoint, for Node's connect functions. */
export function endpoints(plan: LoadPlan, localAddress: string | undefined) {
  const host = formatAddress(plan.target.address);
  return { host, port: plan.target.port, noDelay: true, ...(localAddress && { localAddress }) };
}

/** TLS options of the plan; verifies the target's address if no name is given. */
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

/** Opens a TCP connection, with TLS for DNS over TLS (RFC 7858). */
export function openStream(plan: LoadPlan, localAddress: string | undefined): Socket {
  const to = endpoints(plan, localAddress);
  return plan.transport === 'tls' ? connectTls({ ...to, ...tlsOptions(plan, 'dot') }) : connectTcp(to);
}

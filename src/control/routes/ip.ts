import { Type } from 'typebox';
import { formatAddress } from '../../net/index.ts';
import { callerAddress } from '../caller.ts';
import type { App, Context } from '../context.ts';
import { addPreflight } from '../cors.ts';
import { operation } from '../operation.ts';
import { closed } from '../shapes/common.ts';

const IpShape = Type.Object(
  { address: Type.String({ description: 'The address that this call came from' }) },
  { ...closed, title: 'Ip' },
);

/** Shows callers their own address. */
export function ipRoutes(app: App, context: Context): void {
  const route = operation('anyone', {
    operationId: 'getIp',
    crossOrigin: true,
    summary: 'Show the address that I call from',
    tag: 'My addresses',
    response: { 200: IpShape },
    problems: ['bad_forwarded_for'],
  });
  addPreflight(app, '/v1/ip', 'GET', context);
  app.get('/v1/ip', route, async (request) => ({
    address: formatAddress(callerAddress(request.raw, context.trustedProxies)),
  }));
}

import { Type } from 'typebox';
import { closed, day } from './common.ts';

export const HostnameShape = Type.Object(
  {
    id: Type.String(),
    hostname: Type.String(),
    state: Type.Enum(['waiting', 'followed', 'not-usable', 'too-many', 'failing'], {
      description:
        'Result of the last look-up: `not-usable` no address that can be registered, `too-many` more than the account ' +
        'may have, `failing` no answer: the registered addresses stay',
    }),
    createdAt: day('Addition of the name'),
    checkedAt: Type.Union([day('Last look-up'), Type.Null()]),
  },
  { ...closed, title: 'Hostname' },
);

import { Type } from 'typebox';
import { closed, day } from './common.ts';

export const HomeOnly = Type.Boolean({
  description:
    'true: the name moves to another address only after an hour of queries from there, so that a phone on the road ' +
    'does not lock the home out. false: it moves at once',
  expected: 'true or false',
});

const nameFields = {
  id: Type.String(),
  label: Type.String(),
  homeOnly: HomeOnly,
  createdAt: day('Creation'),
  addresses: Type.Array(Type.String(), {
    description: 'Addresses that the name has registered: at most one of each family',
  }),
};

export const PrivateNameShape = Type.Object(nameFields, { ...closed, title: 'PrivateName' });

export const NewPrivateNameShape = Type.Object(
  {
    ...nameFields,
    dot: Type.String({
      description:
        'Host name for DNS over TLS, such as Private DNS on Android. It is shown this once and not kept.',
    }),
    doh: Type.String({ description: 'URL for DNS over HTTPS. It is shown this once and not kept.' }),
  },
  { ...closed, title: 'NewPrivateName' },
);

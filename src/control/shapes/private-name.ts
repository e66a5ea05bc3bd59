import { Type } from 'typebox';
import { closed, time } from './common.ts';

const nameFields = {
  id: Type.String(),
  label: Type.String(),
  homeOnly: Type.Boolean({
    description:
      'true: the name moves to another address only after an hour of queries from there. false: it moves at once',
  }),
  createdAt: time('Creation time'),
  addresses: Type.Array(Type.String(), {
    description: 'Addresses that the name has registered: at most one of each family',
  }),
};

export const PrivateNameShape = Type.Object(nameFields, { ...closed, title: 'PrivateName' });

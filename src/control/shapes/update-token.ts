import { Type } from 'typebox';
import { closed, day } from './common.ts';

const tokenFields = { id: Type.String(), label: Type.String(), createdAt: day('Creation') };

export const UpdateTokenShape = Type.Object(tokenFields, { ...closed, title: 'UpdateToken' });

export const NewUpdateTokenShape = Type.Object(
  {
    ...tokenFields,
    token: Type.String({ description: 'The password of the router. It is shown this once and not kept.' }),
  },
  { ...closed, title: 'NewUpdateToken' },
);

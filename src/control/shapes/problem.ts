import { Type } from 'typebox';

export const ProblemShape = Type.Object(
  {
    type: Type.String({ format: 'uri' }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'Stable: programs should read this field' }),
    detail: Type.Optional(Type.String()),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          field: Type.String({ description: 'The field, or the part of the request, that is wrong' }),
          expected: Type.String(),
        }),
      ),
    ),
  },
  { title: 'Problem', description: 'A failure, by RFC 9457' },
);

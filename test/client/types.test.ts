import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { CLIENT_TYPES_FILE, clientTypes } from '../support/client-types.ts';

it("the client's types are those of the API's schemas (else run node test/support/client-types.ts)", () => {
  expect(readFileSync(CLIENT_TYPES_FILE, 'utf8')).toBe(clientTypes());
});

/** The client package: packed, installed offline, used from plain JavaScript and from TypeScript. */
import { cpSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { askUdp } from '../support/dns-client.ts';
import { FILMS, NODE, Program, RELAY, ROOT, RunningService, temporaryFolder } from '../support/service.ts';

const NPM_ENV = { npm_config_audit: 'false', npm_config_fund: 'false', npm_config_update_notifier: 'false' };

async function run(
  file: string,
  args: string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<string> {
  const bin = join(ROOT, 'node_modules/.bin');
  const path = `${bin}:${process.env['PATH']}`;
  const program = new Program(file, args, { cwd, env: { ...NPM_ENV, ...env, PATH: path } });
  const { code } = await program.exited;
  expect(code, program.output).toBe(0);
  return program.stdout;
}

/** Creates an operator's project with the client installed. */
async function install(): Promise<string> {
  const source = temporaryFolder();
  // Packed from a copy: nothing is left in the tree, and parallel runs do not collide.
  const copy = join(source, 'src/client');
  cpSync(join(ROOT, 'src/client'), copy, { recursive: true, filter: (path) => !path.endsWith('dist') });
  cpSync(join(ROOT, 'tsconfig.json'), join(source, 'tsconfig.json'));
  cpSync(join(ROOT, 'node_modules/@types'), join(source, 'node_modules/@types'), {
    recursive: true,
    dereference: true,
  });
  cpSync(join(ROOT, 'node_modules/undici-types'), join(source, 'node_modules/undici-types'), {
    recursive: true,
    dereference: true,
  });
  await run('npm', ['pack', '--silent', '--pack-destination', source], copy);
  const [tarball] = readdirSync(source).filter((name) => name.endsWith('.tgz'));
  const backend = temporaryFolder();
  writeFileSync(join(backend, 'package.json'), '{ "name": "backend", "private": true, "type": "module" }');
  await run('npm', ['install', '--offline', '--silent', join(source, tarball!)], backend);
  expect(readdirSync(join(backend, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([
    'mediastreamer-client',
  ]);
  return backend;
}

const SCRIPT = `
import { MediaStreamerClient } from 'mediastreamer-client';
import { Subscriptions } from 'mediastreamer-client/example';

const [url, adminKey, step, known] = process.argv.slice(2);
const accounts = new Map(known ? [['ada', known]] : []);
const subscriptions = new Subscriptions(new MediaStreamerClient({ url, adminKey }), {
  accountOf: async (customer) => accounts.get(customer) ?? null,
  keep: async (customer, id) => void accounts.set(customer, id),
  forget: async (customer) => void accounts.delete(customer),
});
const result = step === 'subscribe' ? await subscriptions.subscribe('ada', 'gb') : await subscriptions[step]('ada');
console.log(JSON.stringify({ id: accounts.get('ada') ?? null, result: result ?? null }));
`;

test('the example creates, suspends and erases an account with its subscription', async () => {
  const [backend, service] = await Promise.all([install(), RunningService.start()]);
  writeFileSync(join(backend, 'backend.js'), SCRIPT);
  const step = async (name: string, id = ''): Promise<{ id: string | null; result: string | null }> =>
    JSON.parse(await run(NODE, ['backend.js', service.controlUrl, service.adminKey, name, id], backend));

  const { id } = await step('subscribe');
  expect((await step('subscribe')).id, 'again, after a crash').toBe(id);
  const { result: link } = await step('settingsUrl', id!);
  const token = new URL(link!).hash.slice(1);
  const from = '127.0.0.21';
  const page = service.as('', from);
  const signedIn = await page.call('POST', '/v1/session', { link: token }, { authorization: '' });
  expect(signedIn.status, signedIn.text).toBe(204);
  const cookie = String(signedIn.headers['set-cookie']).split(';')[0]!;
  const { secret } = await service.admin.make(`/v1/accounts/${id}/secret`);
  await service.as(secret, from).make('/v1/registrations');
  expect(cookie).toMatch(/^ms_session=/);

  const films = async () => (await askUdp(service.udp, from, { name: FILMS })).data;
  expect(await films()).toEqual([RELAY.gb.address]);
  await step('lapse', id!);
  expect(await films()).toEqual([]);
  await step('subscribe', id!);
  expect(await films()).toEqual([RELAY.gb.address]);
  await step('erase', id!);
  expect(await films()).toEqual([]);
  expect((await service.admin.call('GET', `/v1/accounts/${id}`)).status).toBe(404);
});

test('its types work with a usual TypeScript configuration', async () => {
  const backend = await install();
  writeFileSync(
    join(backend, 'backend.ts'),
    `import { type Account, MediaStreamerClient, MediaStreamerError } from 'mediastreamer-client';
import { Subscriptions } from 'mediastreamer-client/example';
const client = new MediaStreamerClient({ url: 'https://dns.example.net', adminKey: 'k' });
export const account: Promise<Account | null> = client.getAccount('a');
export const code = (error: MediaStreamerError): string => error.code;
export const subscriptions = (customers: ConstructorParameters<typeof Subscriptions>[1]) => new Subscriptions(client, customers);
// @ts-expect-error: no such field
client.createAccount({ colour: 'red' });
`,
  );
  const types = dirname(join(ROOT, 'node_modules/@types/node'));
  const options = [
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--noEmit',
    '--typeRoots',
    types,
    '--types',
    'node',
  ];
  await run('tsc', [...options, 'backend.ts'], backend);
});

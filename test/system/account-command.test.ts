/** `mediastreamer account`, through the operator socket of a running control. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { RunningService, runProgram, temporaryFolder, writeConfig } from '../support/service.ts';

const UNKNOWN = 'AAAAAAAAAAAAAAAA';

describe('account', () => {
  let service: RunningService;
  let config: string;
  beforeAll(async () => {
    service = await RunningService.start({ config: { roles: ['control'] } });
    config = join(service.folder, 'config.yaml');
  });

  const account = (...args: string[]) => runProgram(['account', ...args, '--config', config]);
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await account(...args, '--json');
    expect([code, stderr]).toEqual([0, '']);
    return JSON.parse(stdout);
  };

  it('makes an account whose secret and sign-in link work, and removes it', async () => {
    const made = await json('add', '--region', 'gb', '--per-account', '3');
    expect(made).toMatchObject({ region: 'gb', perAccount: 3, suspended: false });
    const own = service.as(made.secret);
    expect((await own.call('GET', '/v1/account')).status).toBe(200);
    await own.make('/v1/registrations', { label: 'Home' });

    const token = new URL(made.link.url).hash.slice(1);
    const origin = { origin: 'http://127.0.0.1:8080' };
    const signIn = () => service.as('').call('POST', '/v1/session', { link: token }, origin);
    expect((await signIn()).status).toBe(204);
    expect((await signIn()).status).toBe(401);
    const another = await json('link', made.id);
    expect(another.url).toMatch(/^http:\/\/127\.0\.0\.1:8080\/sign-in#./);
    expect(another.url).not.toBe(made.link.url);

    const shown = await account('show', made.id);
    expect(shown.stdout).toMatch(/gb, 3 addresses\n {2}127\.0\.0\.1 {2}Home {2}by api, until /);
    expect((await json('list')).accounts.map(({ id }: { id: string }) => id)).toEqual([made.id]);
    expect((await account('remove', made.id)).stdout).toBe(`${made.id} is erased\n`);
    expect((await own.call('GET', '/v1/account')).status).toBe(401);
    expect((await account('list')).stdout).toBe('no accounts: mediastreamer account add makes one\n');
    expect(service.output).not.toContain(made.secret);
    expect(service.output).not.toContain(token);
  });

  it('says what was wrong, and changes nothing', async () => {
    const bad = await account('add', '--region', 'mars');
    expect([bad.code, bad.stderr]).toEqual([1, 'region: expected one of us, gb\n']);
    for (const action of ['show', 'link', 'remove']) {
      const { code, stderr } = await account(action, UNKNOWN);
      expect([code, stderr]).toEqual([1, 'there is no account with this id\n']);
    }
    const { code, stderr } = await runProgram(['relay', 'status', '--config', config]);
    expect([code, stderr]).toEqual([1, 'this process has no edge or relay role\n']);
  });

  it.each([
    [[], 'expected add, list, show, link or remove'],
    [['show'], 'expected show with one account id'],
    [['list', UNKNOWN], 'expected list without an id'],
    [['add', '--per-account', 'many'], 'expected --per-account with a number'],
    [['link', UNKNOWN, '--region', 'us'], 'expected --region and --per-account with add only'],
  ])('%j is bad usage', async (args, problem) => {
    const { code, stderr } = await account(...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(problem)]);
  });
});

it('account says that no control is running', async () => {
  const config = writeConfig(temporaryFolder());
  const { code, stderr } = await runProgram(['account', 'list', '--config', config]);
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^no control with dataDir .* is running/)]);
});

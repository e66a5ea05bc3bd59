/** With wildcard listeners, nobody may register an address of the machine: in a network namespace with public addresses. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MAIN, NODE, temporaryFolder, writeConfig } from '../support/service.ts';

const KEY = 'admin-key-of-this-test-only';
const [OWN, LATER, RELAY, HOME] = ['5.6.7.8', '5.6.7.9', '5.5.5.1', '5.9.9.9'];

const SCRIPT = `
ip addr add ${OWN}/32 dev lo && ip link set lo up
"$NODE" "$MAIN" serve --config "$CONFIG" > "$LOG" &
service=$!
for _ in $(seq 100); do grep -q '"msg":"ready"' "$LOG" && break; sleep 0.2; done
post() {
  curl -s -X POST "http://127.0.0.1:8080/v1/accounts$1" -d "$2" -w ' %{http_code}' \\
    -H 'Authorization: Bearer ${KEY}' -H 'Content-Type: application/json'
}
id=$(post '' '{}' | sed 's/.*"id":"\\([^"]*\\)".*/\\1/')
register() { post "/$id/registrations" "{\\"address\\":\\"$1\\"}" | sed 's/.* //'; echo; }
register ${OWN}; register ${RELAY}; register ${HOME}
ip addr add ${LATER}/32 dev lo; sleep 1.5
register ${LATER}
kill $service; wait $service
`;

it.runIf(process.getuid?.() === 0)('refuses addresses of interfaces and relays, and accepts a home', () => {
  const folder = temporaryFolder();
  const CONFIG = writeConfig(folder, {
    dns: { udp: ['0.0.0.0:53'], tcp: ['0.0.0.0:53'] },
    regions: { us: { relays: [{ address: RELAY }] }, gb: { relays: [{ address: '5.5.5.2' }] } },
    registration: { allowPrivate: false },
    control: { listen: ['127.0.0.1:8080'], adminKey: KEY },
  });
  const env = { ...process.env, NODE, MAIN, CONFIG, LOG: join(folder, 'log') };
  const { stdout } = spawnSync('unshare', ['--net', 'sh', '-c', SCRIPT], {
    encoding: 'utf8',
    env,
    timeout: 60_000,
  });
  expect(stdout.trim().split('\n')).toEqual(['422', '422', '201', '422']);
});

/** The shipped compose.yaml and Kubernetes manifest under runc: the image's user, capabilities, read-only root. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { parseDockerfile } from '../../support/dockerfile.ts';
import { ROOT, temporaryFolder } from '../../support/service.ts';

/** Settings that an orchestrator passes to the runtime. */
interface Container {
  readonly environment: Readonly<Record<string, string>>;
  readonly capabilities: readonly string[];
  readonly noNewPrivileges: boolean;
  readonly readOnly: boolean;
}

interface ComposeService {
  readonly environment: Readonly<Record<string, string>>;
  readonly cap_drop: readonly string[];
  readonly cap_add: readonly string[];
  readonly security_opt?: readonly string[];
  readonly read_only: boolean;
}

const compose = parse(readFileSync(join(ROOT, 'config/deploy/compose.yaml'), 'utf8'), { merge: true });
const edge: ComposeService = compose.services['edge-1'];
const [, image] = parseDockerfile(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'));
const imageValue = (name: string) => image.instructions.find((one) => one.name === name)!.value;
const [uid, gid] = imageValue('USER').split(':').map(Number);

const VARIABLES: Readonly<Record<string, string>> = {
  MEDIASTREAMER_EDGE_PASSWORD: 'secret',
  MEDIASTREAMER_CONTROL_PASSWORD: 'secret',
  MEDIASTREAMER_PUBLIC_URL: 'https://dns.example.com',
  MEDIASTREAMER_RELAY_US: '8.8.4.4',
  MEDIASTREAMER_RELAY_GB: '9.9.9.9',
};

const composed: Container = {
  environment: edge.environment,
  capabilities: edge.cap_add,
  noNewPrivileges: edge.security_opt?.includes('no-new-privileges:true') ?? false,
  readOnly: edge.read_only,
};

interface PodSpec {
  readonly hostNetwork?: boolean;
  readonly securityContext: { readonly runAsUser: number; readonly runAsNonRoot: boolean };
  readonly containers: readonly {
    readonly env: readonly { readonly name: string; readonly value?: string }[];
    readonly securityContext: {
      readonly allowPrivilegeEscalation: boolean;
      readonly readOnlyRootFilesystem: boolean;
      readonly capabilities: { readonly drop: readonly string[]; readonly add: readonly string[] };
    };
  }[];
}

const manifest = parseAllDocuments(
  readFileSync(join(ROOT, 'config/deploy/kubernetes/mediastreamer.yaml'), 'utf8'),
).map((document) => document.toJS());
const podOf = (kind: string): PodSpec => manifest.find((one) => one.kind === kind).spec.template.spec;

/** The container that the kubelet makes of a pod on a node with the address 127.0.0.1. */
function containerOf(pod: PodSpec): Container {
  const [{ env, securityContext }] = pod.containers;
  return {
    environment: Object.fromEntries([
      ...Object.entries(VARIABLES),
      ...env.map(({ name, value }) => [
        name,
        (value ?? VARIABLES[name] ?? '').replace('$(NODE_ADDRESS)', '127.0.0.1'),
      ]),
    ]),
    capabilities: securityContext.capabilities.add,
    noNewPrivileges: !securityContext.allowPrivilegeEscalation,
    readOnly: securityContext.readOnlyRootFilesystem,
  };
}

/** A value of compose.yaml with its variables. */
function substituted(value: string): string {
  return value.replace(
    /\$\{(\w+)(?::-([^}]*)|:\?)?\}/g,
    (_, name, fallback) => VARIABLES[name] ?? fallback ?? '',
  );
}

describe.runIf(process.getuid?.() === 0)('under runc', { timeout: 120_000 }, () => {
  let folder: string;
  beforeAll(() => {
    folder = temporaryFolder();
    const rootfs = [
      'app',
      'bin',
      'dev',
      'etc',
      'lib',
      'lib64',
      'proc',
      'sys',
      'tmp',
      'usr',
      'var/lib/mediastreamer',
    ];
    for (const path of ['bin', 'empty', ...rootfs.map((name) => `rootfs/${name}`)]) {
      mkdirSync(join(folder, path), { recursive: true });
    }
    execFileSync('install', ['-d', '-o', String(uid), '-g', String(gid), '-m', '0700', join(folder, 'data')]);
    // The image's own programs: node with its capability, and the entry point.
    copyFileSync(realpathSync(process.execPath), join(folder, 'bin/node'));
    execFileSync('setcap', ['cap_net_bind_service=+ep', join(folder, 'bin/node')]);
    const entry = image.instructions.find(({ value }) => value.startsWith('printf'))!.value;
    execFileSync('sh', ['-c', entry.replaceAll('/usr/local/bin', join(folder, 'bin'))]);
  });

  /** Writes the runtime specification that Docker and containerd make of a container with the image's user. */
  function writeSpecification({ environment, capabilities, noNewPrivileges, readOnly }: Container): void {
    spawnSync('rm', ['-f', join(folder, 'config.json')]);
    execFileSync('runc', ['spec'], { cwd: folder });
    const spec = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    const bind = (source: string, destination: string, mode = 'ro') => ({
      source,
      destination,
      type: 'bind',
      options: ['rbind', mode],
    });
    spec.process = {
      ...spec.process,
      terminal: false,
      user: { uid, gid },
      cwd: '/app',
      args: [...JSON.parse(imageValue('ENTRYPOINT'))],
      env: [
        'PATH=/usr/local/bin:/usr/bin:/bin',
        ...Object.entries(environment).map(([name, value]) => `${name}=${substituted(value)}`),
        'MEDIASTREAMER_REDIS=127.0.0.1:1',
      ],
      noNewPrivileges,
      // A user other than root gets the bounding set only.
      capabilities: { bounding: capabilities.map((name) => `CAP_${name}`) },
      rlimits: [{ type: 'RLIMIT_CORE', hard: 0, soft: 0 }],
    };
    spec.root = { path: 'rootfs', readonly: readOnly };
    const system = ['/usr', '/bin', '/lib', '/lib64', '/etc'].map((path) => bind(path, path));
    const modules = `${process.platform}-${process.arch}`;
    spec.mounts = [
      ...spec.mounts.filter(({ destination }: { destination: string }) => destination !== '/sys/fs/cgroup'),
      ...system,
      bind(join(folder, 'bin'), '/usr/local/bin'),
      bind(ROOT, '/app'),
      // The image has no second Node.
      bind(join(folder, 'empty'), `/app/node_modules/node-${modules}`),
      bind(join(folder, 'data'), '/var/lib/mediastreamer', 'rw'),
    ];
    spec.linux.namespaces = spec.linux.namespaces.filter(
      ({ type }: { type: string }) => type !== 'network' && type !== 'cgroup',
    );
    delete spec.linux.resources;
    writeFileSync(join(folder, 'config.json'), JSON.stringify(spec));
  }

  /** Runs the container in a network of its own, asks it something and stops it. */
  function run(ask: string): { status: number | null; stdout: string; log: string } {
    const id = `mediastreamer-${process.pid}-${Date.now()}`;
    const script = `ip link set lo up
runc run ${id} > log 2>&1 &
for i in $(seq 300); do
  grep -q '"msg":"ready"' log && break
  kill -0 $! 2>/dev/null || break
  sleep 0.1
done
${ask}
runc kill ${id} TERM 2>/dev/null
wait $!`;
    const { status, stdout } = spawnSync('unshare', ['--net', 'sh', '-c', script], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 90_000,
    });
    return { status, stdout, log: readFileSync(join(folder, 'log'), 'utf8') };
  }

  const DIG = "dig @127.0.0.1 +tries=2 +time=1 netflix.com | grep -o 'status: [A-Z]*'";

  it("compose.yaml's edge answers on port 53 with its security options, and stops on SIGTERM", () => {
    expect(edge.cap_drop).toEqual(['ALL']);
    writeSpecification(composed);
    const { status, stdout, log } = run(DIG);
    expect([stdout, status], log).toEqual(['status: REFUSED\n', 0]);
  });

  it('it could not with no-new-privileges, which is why that is not set', () => {
    writeSpecification({ ...composed, noNewPrivileges: true });
    const { stdout, log } = run(DIG);
    expect(stdout).not.toContain('REFUSED');
    expect(log).toMatch(/cannot listen on 127.0.0.1:53/);
  });

  it("the manifest's edge answers on port 53, on the host's network", () => {
    const pod = podOf('DaemonSet');
    expect(pod.hostNetwork).toBe(true);
    expect(pod.securityContext).toMatchObject({ runAsUser: uid, runAsNonRoot: true });
    writeSpecification(containerOf(pod));
    const { status, stdout, log } = run(DIG);
    expect([stdout, status], log).toEqual(['status: REFUSED\n', 0]);
  });

  it("the manifest's control runs within the restricted profile", () => {
    const pod = podOf('Deployment');
    expect(pod.hostNetwork).toBeUndefined();
    expect(pod.securityContext).toMatchObject({
      runAsUser: uid,
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(pod.containers[0].securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
    });
    writeSpecification(containerOf(pod));
    const { stdout, log } = run(
      "curl -s -o /dev/null -w '%{http_code}' --retry 50 --retry-connrefused --retry-delay 0 http://127.0.0.1:9153/healthz",
    );
    expect(stdout, log).toBe('200');
  });
});

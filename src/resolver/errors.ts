/** An upstream that the configuration names in a way that cannot be used. Its value may be shown: it is the operator's. */
export class UpstreamUrlError extends Error {
  readonly code = 'upstream_url';
  readonly found: string;
  readonly expected: string;
  constructor(found: string, expected: string) {
    super(`found ${JSON.stringify(found)}, expected ${expected}`);
    this.name = 'UpstreamUrlError';
    this.found = found;
    this.expected = expected;
  }
}

/** `system` was asked for, and the host's resolver configuration has no server that could be used. */
export class NoSystemUpstreamError extends Error {
  readonly code = 'no_system_upstream';
  readonly path: string;
  /** What stands in the file, as a fault shows it. */
  readonly found: string;
  readonly expected = 'the address of a resolver; set upstreams to one, such as ["udp://192.0.2.53:53"]';
  constructor(path: string, found: string) {
    super(`${path}: found ${found}, expected a nameserver other than this process; set upstreams to one`);
    this.name = 'NoSystemUpstreamError';
    this.path = path;
    this.found = found;
  }
}

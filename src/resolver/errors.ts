/** A malformed upstream URL in the configuration. It may be shown, because the operator wrote it. */
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

/** Upstream `system` is configured, but the host's resolver configuration names no usable server. */
export class NoSystemUpstreamError extends Error {
  readonly code = 'no_system_upstream';
  readonly path: string;
  /** Content of the file, for the message. */
  readonly found: string;
  readonly expected = 'the address of a resolver; set upstreams to one, such as ["udp://192.0.2.53:53"]';
  constructor(path: string, found: string) {
    super(`${path}: found ${found}, expected a nameserver other than this process; set upstreams to one`);
    this.name = 'NoSystemUpstreamError';
    this.path = path;
    this.found = found;
  }
}

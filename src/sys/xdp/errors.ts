/** AF_XDP is not available or has failed. The message says what is missing. */
export class XdpError extends Error {
  readonly code = 'xdp';
  constructor(message: string) {
    super(message);
    this.name = 'XdpError';
  }
}

/** AF_XDP cannot be had here, or has ended. The message says what is missing. */
export class XdpError extends Error {
  readonly code = 'XDP';
  constructor(message: string) {
    super(message);
    this.name = 'XdpError';
  }
}

import { libc } from './libc.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
/** Length of sun_path (unix(7)). */
const PATH_BYTES = 108;

/**
 * Sends a state such as `READY=1` to the socket that systemd names in NOTIFY_SOCKET (sd_notify(3)).
 * @returns false if that is not possible
 */
export function notifySupervisor(path: string, state: string): boolean {
  const library = libc();
  const encoded = Buffer.from(path);
  if (library === null || encoded.length >= PATH_BYTES) return false;
  const name = new Uint8Array(2 + encoded.length + (path.startsWith('@') ? 0 : 1));
  name[0] = AF_UNIX;
  name.set(encoded, 2);
  // An abstract address.
  if (path.startsWith('@')) name[2] = 0;
  const fd = library.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const message = Buffer.from(state);
  const isSent =
    library.connect(fd, name, name.length) === 0 &&
    library.write(fd, message, message.length) === message.length;
  library.close(fd);
  return isSent;
}

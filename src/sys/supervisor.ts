import { libc } from './libc.ts';
import { AF_UNIX, encodeUnixAddress } from './unix-address.ts';

const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;

/**
 * Sends a state such as `READY=1` to the socket that systemd names in NOTIFY_SOCKET (sd_notify(3)).
 * @returns false if that is not possible
 */
export function notifySupervisor(path: string, state: string): boolean {
  const library = libc();
  const name = encodeUnixAddress(path);
  if (library === null || name === null) return false;
  const fd = library.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const message = Buffer.from(state);
  const isSent =
    library.connect(fd, name, name.length) === 0 &&
    library.write(fd, message, message.length) === message.length;
  library.close(fd);
  return isSent;
}

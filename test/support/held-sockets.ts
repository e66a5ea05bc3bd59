import { closeSocket, listenTcp, localPort, openUdpSocket } from '../../src/sys/index.ts';
import { type Endpoint, RunningService, type StartOptions } from './service.ts';

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
/** Sets LISTEN_PID as systemd does: to the program's own process. */
export const LAUNCHER = ['sh', '-c', 'LISTEN_PID=$$ exec "$0" "$@"'];

/** Sockets as a supervisor opens them, by name. */
export class HeldSockets {
  readonly fds: number[] = [];
  private readonly names: string[] = [];

  udp(name: string, count: number): Endpoint {
    let port = 0;
    for (let i = 0; i < count; i++) {
      const fd = openUdpSocket({
        family: 4,
        address: LOOPBACK,
        port,
        reusePort: true,
        receiveBufferBytes: 8 << 20,
        receiveTimeoutMs: 0,
        packetInfo: false,
      });
      port = localPort(fd);
      this.hold(name, fd);
    }
    return { host: '127.0.0.1', port };
  }

  tcp(name: string, count: number): Endpoint {
    let port = 0;
    for (let i = 0; i < count; i++) {
      const fd = listenTcp({ family: 4, bytes: LOOPBACK }, port, 1024, true);
      port = localPort(fd);
      this.hold(name, fd);
    }
    return { host: '127.0.0.1', port };
  }

  /** Starts the service with the sockets, as its supervisor. */
  start(folder: string, options: StartOptions = {}): Promise<RunningService> {
    const held = { LISTEN_FDS: `${this.fds.length}`, LISTEN_FDNAMES: this.names.join(':') };
    const env = { ...held, ...options.env };
    return RunningService.start({ ...options, folder, env, wrapper: LAUNCHER, fds: this.fds });
  }

  close(): void {
    for (const fd of this.fds.splice(0)) closeSocket(fd);
  }

  private hold(name: string, fd: number): void {
    this.fds.push(fd);
    this.names.push(name);
  }
}

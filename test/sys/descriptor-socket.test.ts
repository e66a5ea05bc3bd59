import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeSocket, DescriptorSocket, localPort, MOST_DESCRIPTORS, Pipe } from '../../src/sys/index.ts';
import { libc } from '../../src/sys/libc.ts';
import { closeAll, open } from './support.ts';

let folder: string;
let path: string;
const sockets: DescriptorSocket[] = [];
const received: number[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'descriptors-'));
  path = join(folder, 'socket');
});

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
  for (const fd of received.splice(0)) closeSocket(fd);
  closeAll();
  rmSync(folder, { recursive: true });
});

function pair(room?: number): { to: DescriptorSocket; from: DescriptorSocket } {
  const to = DescriptorSocket.bind(path, room);
  const from = DescriptorSocket.connect(path);
  sockets.push(to, from);
  return { to, from };
}

function take(socket: DescriptorSocket): { text: string; fds: readonly number[] } {
  const message = socket.receive()!;
  received.push(...message.fds);
  return message;
}

describe('a descriptor socket', () => {
  it('carries open sockets, several in a message, and messages in order', () => {
    const { to, from } = pair();
    const [one, two] = [open('127.0.0.1'), open('::1')];
    const ports = [one, two].map(localPort);
    from.send('two sockets', [one, two]);
    from.send('none', []);
    from.send('', [two]);
    const first = take(to);
    expect(first.text).toBe('two sockets');
    expect(first.fds.map(localPort)).toEqual(ports);
    expect(first.fds).not.toContain(one);
    expect(take(to)).toEqual({ text: 'none', fds: [] });
    const last = take(to);
    expect([last.text, localPort(last.fds[0]!)]).toEqual(['', ports[1]]);
    expect(to.receive()).toBeNull();
    // The sender's own stays open.
    expect(localPort(one)).toBe(ports[0]);
  });

  it('gives them close-on-exec', () => {
    const { to, from } = pair();
    from.send('', [open('127.0.0.1')]);
    const [fd] = take(to).fds;
    const F_GETFD = 1;
    const FD_CLOEXEC = 1;
    expect(libc()!.fcntl(fd!, F_GETFD, 0) & FD_CLOEXEC).toBe(FD_CLOEXEC);
  });

  it('carries as many as the kernel allows, and refuses more', () => {
    const { to, from } = pair();
    const fd = open('127.0.0.1');
    from.send('full', Array(MOST_DESCRIPTORS).fill(fd));
    expect(take(to).fds).toHaveLength(MOST_DESCRIPTORS);
    expect(() => from.send('', Array(MOST_DESCRIPTORS + 1).fill(fd))).toThrow(RangeError);
  });

  it('closes what came of a message with more than it has room for (MSG_CTRUNC)', () => {
    const { to, from } = pair(2);
    const pipe = Pipe.open(4096)!;
    from.send('three', [pipe.readEnd, pipe.readEnd, pipe.readEnd]);
    pipe.close();
    expect(() => to.receive()).toThrow(expect.objectContaining({ code: 'EMSGSIZE', syscall: 'recvmsg' }));
    // The next descriptor gets the lowest free number: none of the three is open.
    const next = open('127.0.0.1');
    expect(next).toBe(pipe.readEnd);
    from.send('one', [next]);
    expect(take(to).text).toBe('one');
  });

  it('says what a failed call was', () => {
    expect(() => DescriptorSocket.connect(path)).toThrow(
      expect.objectContaining({ code: 'ENOENT', syscall: 'connect' }),
    );
    writeFileSync(path, '');
    expect(() => DescriptorSocket.bind(path)).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE', syscall: 'bind' }),
    );
    expect(() => DescriptorSocket.bind(join(folder, 'x'.repeat(108)))).toThrow(
      expect.objectContaining({ code: 'ENAMETOOLONG' }),
    );
    rmSync(path);
    const { from } = pair();
    expect(() => from.send('', [100_000])).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });

  it('can be opened by its owner only', () => {
    pair();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('does not wait for a receiver that does not read', () => {
    const { from } = pair();
    expect(() => {
      for (let i = 0; i < 10_000; i++) from.send('', []);
    }).toThrow(/^sendmsg failed: (EAGAIN|EWOULDBLOCK)$/);
  });
});

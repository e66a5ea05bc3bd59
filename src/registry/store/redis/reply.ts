import type { Reply } from './script.ts';

/** A record of a script's reply: names and values in turn. */
export class ReplyRecord {
  private readonly values = new Map<string, Reply>();

  constructor(reply: Reply) {
    const parts = list(reply);
    for (let index = 0; index < parts.length; index += 2)
      this.values.set(text(parts[index]), parts[index + 1]);
  }

  get(name: string): Reply {
    return this.values.get(name) ?? null;
  }

  text(name: string): string {
    return text(this.get(name));
  }

  number(name: string): number {
    return this.get(name) as number;
  }

  bytes(name: string): Uint8Array {
    return bytes(this.get(name));
  }

  list(name: string): Reply[] {
    return list(this.get(name));
  }

  textOrNull(name: string): string | null {
    return orNull(this.get(name), text);
  }

  numberOrNull(name: string): number | null {
    return this.get(name) as number | null;
  }
}

export function text(reply: Reply): string {
  return (reply as Buffer).toString('utf8');
}

export function bytes(reply: Reply): Uint8Array {
  return new Uint8Array(reply as Buffer);
}

export function list(reply: Reply): Reply[] {
  return reply as Reply[];
}

export function orNull<Value>(reply: Reply, decode: (reply: Reply) => Value): Value | null {
  return reply === null || reply === undefined ? null : decode(reply);
}

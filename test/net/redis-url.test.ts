import { describe, expect, it } from 'vitest';
import { parseRedisUrl, sameRedisUser } from '../../src/net/index.ts';

describe('a Redis URL', () => {
  it('names server, port, database, user and password', () => {
    expect(parseRedisUrl('redis://redis.example')).toMatchObject({
      tls: false,
      host: 'redis.example',
      port: 6379,
      database: 0,
      username: null,
      password: null,
      sentinel: null,
    });
    expect(parseRedisUrl('rediss://control:p%40%2F%3A@[2001:db8::1]:80/3')).toMatchObject({
      tls: true,
      host: '2001:db8::1',
      port: 80,
      database: 3,
      username: 'control',
      password: 'p@/:',
    });
    expect(parseRedisUrl('redis://:secret@h:1')).toMatchObject({ username: null, password: 'secret' });
  });

  it('names a Sentinel group and its sentinels', () => {
    const url = 'redis://u:p@homes/1?sentinels=a:1,[2001:db8::2]:2,c&sentinelPassword=q&role=replica';
    expect(parseRedisUrl(url)).toMatchObject({
      database: 1,
      role: 'replica',
      sentinel: {
        name: 'homes',
        hosts: [
          { host: 'a', port: 1 },
          { host: '2001:db8::2', port: 2 },
          { host: 'c', port: 26379 },
        ],
        username: null,
        password: 'q',
      },
    });
  });

  it.each([
    'http://h',
    'redis:/h',
    'redis://',
    'redis://h:99999',
    'redis://h/zero',
    'redis://h/0/1',
    'redis://h/0#x',
    'redis://h?sentinel=a',
    'redis://h?role=replica',
    'redis://h?role=boss',
    'redis://h?caFile=/x',
    'redis://homes?sentinels=a:b',
    'redis://%zz@h',
  ])('rejects %s with a message that does not quote it', (url) => {
    const parsed = parseRedisUrl(url);
    expect(parsed).toHaveProperty('error');
    expect((parsed as { error: string }).error).not.toContain('%zz');
  });

  it('never shows a password', () => {
    expect(JSON.stringify(parseRedisUrl('redis://u:hunter2@h?what=hunter2'))).not.toContain('hunter2');
  });
});

describe('two Redis URLs are of the same user', () => {
  const URL = 'rediss://control:one@fleet/0?sentinels=a:1,b:2&sentinelUser=s&sentinelPassword=one';
  it('whatever the passwords', () => {
    expect(sameRedisUser(URL, URL.replaceAll('one', 'two'))).toBe(true);
  });
  it.each(['control', 'fleet', '/0', 'b:2', '=s&'])('unless %s differs', (part) => {
    const other = { '/0': '/1', '=s&': '=t&', 'b:2': 'b:3' }[part] ?? `${part}2`;
    expect(sameRedisUser(URL, URL.replace(part, other))).toBe(false);
  });
  it('unless one of them is the embedded store', () => {
    expect(sameRedisUser(URL, 'embedded')).toBe(false);
  });
});

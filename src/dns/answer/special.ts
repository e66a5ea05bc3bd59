import { equalBytes, hashName, nameFromText, type Question } from '../../wire/index.ts';

/** Answers to special-use names, for which no upstream is asked. */
export const SpecialUse = {
  /** An ordinary name. */
  NONE: 0,
  /** The name does not exist. */
  NAME_ERROR: 1,
  /** 127.0.0.1 and ::1, no other records. */
  LOOPBACK: 2,
  /** The name does not exist. Upstreams answer DS of the zone itself, but no query below it (RFC 8375 4). */
  NAME_ERROR_BUT_DS: 3,
  /** Our own DNS over TLS and HTTPS, if they are on (RFC 9462 4). */
  DISCOVERY: 4,
} as const;

const numbers = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** Special-use names, with their sources. Each includes all names below it. */
const SPECIAL: readonly (readonly [use: number, names: readonly string[]])[] = [
  // Browsers and systems turn their own resolvers off if these do not exist (Mozilla's canary domain; Apple, "Prepare
  // your network or web server for iCloud Private Relay").
  [SpecialUse.NAME_ERROR, ['use-application-dns.net', 'mask.icloud.com', 'mask-h2.icloud.com']],
  // RFC 6761 6.3
  [SpecialUse.LOOPBACK, ['localhost']],
  // RFC 6761 6.2 and 6.4, RFC 7686 2, RFC 9476 3; RFC 9462 6.4: discovery names are not forwarded
  [SpecialUse.NAME_ERROR, ['test', 'invalid', 'onion', 'alt', 'resolver.arpa']],
  [SpecialUse.DISCOVERY, ['_dns.resolver.arpa']],
  // RFC 8375 4; RFC 9665 10
  [SpecialUse.NAME_ERROR_BUT_DS, ['home.arpa', 'service.arpa']],
  // RFC 6762 22.1: multicast DNS
  [SpecialUse.NAME_ERROR, ['local']],
  // Search suffixes of homes and companies that the public DNS does not have: ICANN resolution 2024.07.29.06 (internal), RFC
  // 6762 appendix G, ICANN resolution 2018.02.04.12 (corp, home, mail), draft-chapin-additional-reserved-tlds (localdomain)
  [SpecialUse.NAME_ERROR, ['internal', 'intranet', 'private', 'corp', 'home', 'lan', 'mail', 'localdomain']],
  // RFC 6761 6.1 and RFC 6303 4.2, 4.3: reverse names of private, loopback, link-local and example networks
  [
    SpecialUse.NAME_ERROR,
    [
      '0.in-addr.arpa',
      '10.in-addr.arpa',
      '127.in-addr.arpa',
      '254.169.in-addr.arpa',
      '2.0.192.in-addr.arpa',
      '100.51.198.in-addr.arpa',
      '113.0.203.in-addr.arpa',
      '168.192.in-addr.arpa',
      '255.255.255.255.in-addr.arpa',
      ...numbers(16, 31).map((number) => `${number}.172.in-addr.arpa`),
      ...numbers(64, 127).map((number) => `${number}.100.in-addr.arpa`), // RFC 7793
    ],
  ],
  // RFC 6303 4.3 to 4.6
  [
    SpecialUse.NAME_ERROR,
    [
      `${'0.'.repeat(32)}ip6.arpa`,
      `1.${'0.'.repeat(31)}ip6.arpa`,
      'd.f.ip6.arpa',
      '8.e.f.ip6.arpa',
      '9.e.f.ip6.arpa',
      'a.e.f.ip6.arpa',
      'b.e.f.ip6.arpa',
      '8.b.d.0.1.0.0.2.ip6.arpa',
    ],
  ],
];

interface SpecialName {
  bytes: Uint8Array;
  use: number;
}

/** Finds special-use names by the suffix hashes of a question. Allocates nothing. */
export class SpecialNames {
  private readonly byHash = new Map<number, SpecialName>();
  /** Label at which the matched name starts. Valid after a match. */
  matchedLabel = 0;

  /** @param seed name-hash seed of the questions */
  constructor(seed: number) {
    for (const [use, names] of SPECIAL) {
      for (const name of names) {
        const bytes = nameFromText(name)!;
        this.byHash.set(hashName(bytes, seed), { bytes, use });
      }
    }
  }

  /** @returns a SpecialUse; the longest matching suffix decides. */
  match(question: Question): number {
    const name = question.name;
    for (let label = 0; label < name.labelCount; label++) {
      const found = this.byHash.get(question.hashes[label]);
      if (found === undefined) continue;
      const offset = name.labelOffsets[label];
      const length = name.length - offset;
      if (length !== found.bytes.length) continue;
      if (!equalBytes(name.bytes, offset, found.bytes, 0, length)) continue;
      this.matchedLabel = label;
      return found.use;
    }
    return SpecialUse.NONE;
  }
}

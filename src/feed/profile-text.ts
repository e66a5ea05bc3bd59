import type { Profile } from './change.ts';

/**
 * Writes a profile as text, equal for equal profiles: JSON, services sorted by name. The fifth element, 1, marks `told`;
 * it is left out otherwise, so that the text of other profiles is the same in all releases.
 */
export function profileText(profile: Profile): string {
  const services = Object.entries(profile.services).sort(([a], [b]) => (a < b ? -1 : 1));
  const families = [Number(profile.ipv4), Number(profile.ipv6)];
  return JSON.stringify([profile.region, services, ...families, ...(profile.told ? [1] : [])]);
}

/** Reads a profile back from its text. */
export function profileOfText(text: string): Profile {
  const [region, services, ipv4, ipv6, told] = JSON.parse(text) as [
    string,
    [string, string][],
    number,
    number,
    number?,
  ];
  const profile = { region, services: Object.fromEntries(services), ipv4: ipv4 === 1, ipv6: ipv6 === 1 };
  return told === 1 ? { ...profile, told: true } : profile;
}

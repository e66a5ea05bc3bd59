import type { Profile } from './change.ts';

/** A profile as one text, the same for profiles that are the same: JSON with the services sorted by name. */
export function profileText(profile: Profile): string {
  const services = Object.entries(profile.services).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([profile.region, services, Number(profile.ipv4), Number(profile.ipv6)]);
}

/** The profile that a text was made of. */
export function profileOfText(text: string): Profile {
  const [region, services, ipv4, ipv6] = JSON.parse(text) as [string, [string, string][], number, number];
  return { region, services: Object.fromEntries(services), ipv4: ipv4 === 1, ipv6: ipv6 === 1 };
}

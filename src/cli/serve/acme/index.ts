export type { CertificateKeeper, KeeperState } from './certificate-keeper.ts';
export type { Challenges, DnsChallenge } from './challenges.ts';
export { certificateNames, openHostCertificate } from './host-certificate.ts';

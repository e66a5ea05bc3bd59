export { formatBundle, isVersion, openBundle, readUncheckedBundle, signBundle } from './bundle.ts';
export { BundleError } from './bundle-error.ts';
export { BundleStore } from './bundle-store.ts';
export { differences, formatDifferences } from './difference.ts';
export { fetchBundle } from './fetch.ts';
export { formatPublicKey, generateBundleKeys, parsePublicKey, readPrivateKey } from './keys.ts';

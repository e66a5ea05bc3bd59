/** The path that is served, alone or followed by a private name; RFC 8484 4.1 uses it, and clients default to it. */
export const DOH_PATH = '/dns-query';

/** The only path that is served; RFC 8484 4.1 uses it in its examples, and clients default to it. */
export const DOH_PATH = '/dns-query';

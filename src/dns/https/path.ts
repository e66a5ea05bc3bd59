/** The one path that is served (RFC 8484 4.1, by its custom). */
export const DOH_PATH = '/dns-query';

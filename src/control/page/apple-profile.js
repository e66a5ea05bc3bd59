/** Media type by which Apple's systems offer to install a profile. */
export const APPLE_PROFILE = 'application/x-apple-aspen-config';

/**
 * Builds an unsigned configuration profile that sets the DNS server of an iPhone, iPad, Mac or Apple TV
 * (com.apple.dnsSettings.managed).
 *
 * @param {{ label: string, dot: string, doh: string }} name
 * @param {'HTTPS' | 'TLS'} protocol
 */
export function appleProfile({ label, dot, doh }, protocol) {
  const title = escaped(`DNS for ${label}`);
  const domain = escaped(dot.slice(dot.indexOf('.') + 1));
  const server =
    protocol === 'HTTPS'
      ? `<key>ServerURL</key><string>${escaped(doh)}</string>`
      : `<key>ServerName</key><string>${escaped(dot)}</string>`;
  /** @param {string} type */
  const head = (type) => {
    const id = uuid();
    return `<key>PayloadType</key><string>${type}</string>
<key>PayloadVersion</key><integer>1</integer>
<key>PayloadIdentifier</key><string>${domain}.${id}</string>
<key>PayloadUUID</key><string>${id}</string>
<key>PayloadDisplayName</key><string>${title}</string>`;
  };
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
<key>PayloadContent</key>
<array>
<dict>
${head('com.apple.dnsSettings.managed')}
<key>DNSSettings</key>
<dict><key>DNSProtocol</key><string>${protocol}</string>${server}</dict>
</dict>
</array>
${head('Configuration')}
</dict>
</plist>
`;
}

/** @param {string} text */
function escaped(text) {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

/** Makes a random UUID. `crypto.randomUUID` is missing on pages without https. */
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-').toUpperCase();
}

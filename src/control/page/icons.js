const SVG = 'http://www.w3.org/2000/svg';

/** SVG strokes in a 24 by 24 square. */
const PATHS = {
  home: 'M4 11.2 12 4.5l8 6.7M6 9.8V19.5h12V9.8M10 19.5v-5h4v5',
  globe:
    'M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17ZM3.5 12h17M12 3.5c2.6 2.4 3.8 5.2 3.8 8.5s-1.2 6.1-3.8 8.5c-2.6-2.4-3.8-5.2-3.8-8.5s1.2-6.1 3.8-8.5Z',
  tv: 'M3.5 5.5h17v11h-17ZM8.5 20h7M12 16.5V20',
  phone: 'M7.5 3.5h9v17h-9ZM11 17.5h2',
  laptop: 'M5.5 6h13v9.5h-13ZM3 19h18',
  gamepad:
    'M8 8.5h8a5 5 0 0 1 4.5 6.2c-.5 2-2.5 2.3-3.7.8L15.5 14h-7l-1.3 1.5c-1.2 1.5-3.2 1.2-3.7-.8A5 5 0 0 1 8 8.5ZM8 10.2v2.6M6.7 11.5h2.6M16 11.5h.01',
  router:
    'M4 13.5h16v6H4ZM7.5 16.5h.01M11 16.5h.01M12 13.5V10M8.8 7.6a4.5 4.5 0 0 1 6.4 0M6.3 5a8 8 0 0 1 11.4 0',
  person: 'M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM4.5 20c.8-3.6 3.7-5.5 7.5-5.5s6.7 1.9 7.5 5.5',
  check: 'm5 12.5 4.5 4.5L19 7.5',
  cross: 'm6.5 6.5 11 11M17.5 6.5l-11 11',
  alert: 'M12 4 2.8 19.5h18.4ZM12 10v4.5M12 17.2h.01',
  info: 'M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17ZM12 11v5.5M12 7.7h.01',
  copy: 'M8.5 8.5h11v11h-11ZM15.5 8.5v-4h-11v11h4',
  bin: 'M4.5 6.5h15M9.5 6.5v-2h5v2M6.5 6.5l1 13h9l1-13M10 10.5v5.5M14 10.5v5.5',
  pencil: 'm4.5 19.5 1-4.5L16 4.5l3.5 3.5L9 18.5ZM13.5 7l3.5 3.5',
  search: 'M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM15.3 15.3 20 20',
  chevron: 'm9 5.5 6.5 6.5L9 18.5',
  download: 'M12 4v11M7 10.5l5 5 5-5M4.5 19.5h15',
  exit: 'M14 4.5H5v15h9M10 12h10.5M16.5 8l4 4-4 4',
  key: 'M8 11a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9ZM11.2 12.3 19.5 4M15.5 8l3 3M17.7 5.8l2 2',
  link: 'M10 14a4 4 0 0 0 5.7 0l3.1-3.1a4 4 0 0 0-5.7-5.7l-1.3 1.3M14 10a4 4 0 0 0-5.7 0l-3.1 3.1a4 4 0 0 0 5.7 5.7l1.3-1.3',
  cloud: 'M7 18.5a4.5 4.5 0 0 1-.4-9 6 6 0 0 1 11.2 1.6 3.8 3.8 0 0 1-.3 7.4M9.5 13.5l5 5M14.5 13.5l-5 5',
  refresh: 'M19.5 12a7.5 7.5 0 1 1-2.2-5.3L19.5 9M19.5 4.5V9H15',
  pin: 'M12 20.5c4.3-4.7 6.5-8 6.5-10.7a6.5 6.5 0 0 0-13 0c0 2.7 2.2 6 6.5 10.7ZM12 7.5a2.3 2.3 0 1 0 0 4.6 2.3 2.3 0 0 0 0-4.6Z',
};

/** @typedef {keyof typeof PATHS} IconName */

/**
 * Creates a decorative icon, hidden from screen readers.
 *
 * @param {IconName} name
 * @param {string} [className]
 */
export function icon(name, className) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', className === undefined ? 'icon' : `icon ${className}`);
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('focusable', 'false');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}

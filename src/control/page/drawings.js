const SVG = 'http://www.w3.org/2000/svg';

/** Strokes in a 96 by 60 rectangle: a screen, and on it what a step is about. `mark` is what to look at. */
const DRAWINGS = {
  settings: {
    plain: 'M14 18h30M14 30h30M14 42h30',
    mark: 'M70 22.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15ZM70 16v4M70 40v4M56 30h4M80 30h4M60.1 20.1l2.9 2.9M77 37l2.9 2.9M60.1 39.9l2.9-2.9M77 23l2.9-2.9',
  },
  network: {
    plain: 'M14 18h36M14 42h28',
    mark: 'M12 25h72v11H12ZM67 31.5a6 6 0 0 1 8 0M71 33.5h.01M18 30.5h26',
  },
  manual: {
    plain: 'M20 20a3 3 0 1 0 .01 0M30 23h32',
    mark: 'M20 34a4 4 0 1 0 .01 0M20 37.5h.01M30 38h40',
  },
  type: {
    plain: 'M16 37h6M28 37h6M40 37h6M52 37h6M64 37h6M22 45h6M34 45h6M46 45h6M58 45h6',
    mark: 'M14 15h68v13H14ZM21 21.5h6M31 22.5h.01M35 21.5h6M45 22.5h.01M49 21.5h6M60 18.5v6',
  },
  restart: { plain: 'M30 45h36', mark: 'M41 19.5a11 11 0 1 0 14 0M48 14v11' },
  read: { plain: 'M38 20h42M38 30h42M38 40h28', mark: 'M23 20a10 10 0 1 0 .01 0M23 29v6M23 25.5h.01' },
};

/**
 * Draws what a step is about. Decorative: the text beside it says the same.
 *
 * @param {keyof typeof DRAWINGS} name
 */
export function drawing(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 96 60');
  svg.setAttribute('class', 'drawing');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('focusable', 'false');
  const { plain, mark } = DRAWINGS[name];
  for (const [part, path] of Object.entries({ screen: 'M4 4h88v52H4Z', plain, mark })) {
    const element = document.createElementNS(SVG, 'path');
    element.setAttribute('class', part);
    element.setAttribute('d', path);
    svg.append(element);
  }
  return svg;
}

import { call } from './api.js';
import { h } from './dom.js';
import { icon } from './icons.js';
import { counted } from './words.js';

/** @typedef {import('./app').App} App */
/** @typedef {import('./types').Service} Service */
/** @typedef {{ id: string, title: string }} Named */

/**
 * Shows the region for everything and regions of single services.
 *
 * @param {App} app
 */
export function regionsView(app) {
  const { regions } = app.page;
  return h(
    'div',
    { class: 'stack' },
    h(
      'header',
      { class: 'view-head' },
      h('h1', null, 'Where to watch from'),
      h(
        'p',
        { class: 'lead' },
        'A change holds at once. An app that is already open may need to be closed and opened again.',
      ),
    ),
    regionCard(app, regions),
    servicesCard(app, regions),
    h('p', { class: 'soft' }, `List of services: version ${app.page.catalogVersion}`),
  );
}

/**
 * @param {App} app
 * @param {Named[]} regions
 */
function regionCard(app, regions) {
  const { account } = app.page;
  const choose = (/** @type {Event} */ event) => {
    const id = /** @type {HTMLInputElement} */ (event.target).value;
    const { title } = /** @type {Named} */ (regions.find((region) => region.id === id));
    return app.change(() => call('PATCH', '/v1/account', { region: id }), `You now watch from ${title}.`);
  };
  return h(
    'section',
    { class: 'card' },
    h(
      'fieldset',
      null,
      h('legend', { class: 'card-title' }, 'Region for everything'),
      h(
        'div',
        { class: 'choices' },
        regions.map(({ id, title }) =>
          h(
            'label',
            { class: 'choice' },
            h('input', {
              type: 'radio',
              name: 'region',
              id: `region-${id}`,
              value: id,
              checked: id === account.region,
              onchange: choose,
            }),
            h(
              'span',
              { class: 'choice-face' },
              icon('pin'),
              h('span', null, title),
              icon('check', 'choice-mark'),
            ),
          ),
        ),
      ),
    ),
  );
}

/**
 * @param {App} app
 * @param {Named[]} regions
 */
function servicesCard(app, regions) {
  const known = new Set(regions.map(({ id }) => id));
  const services = app.page.services.filter(
    ({ id, regions: own }) =>
      own.some((region) => known.has(region)) || app.page.account.services[id] !== undefined,
  );
  const isChanged = (/** @type {Service} */ { id }) => app.page.account.services[id] !== undefined;
  const changed = services.filter(isChanged);
  // Services with their own region come first: people come back for them.
  const rows = [...changed, ...services.filter((service) => !isChanged(service))].map((service) => ({
    text: `${service.title} ${service.id}`.toLowerCase(),
    element: serviceRow(app, service, regions),
  }));
  const none = h('p', { class: 'empty-line', hidden: true }, 'No service is called that.');
  const count = h('p', { class: 'offscreen', role: 'status' });
  const filter = () => {
    const words = search.value.toLowerCase().trim().split(/\s+/);
    let shown = 0;
    for (const { text, element } of rows) {
      element.hidden = !words.every((word) => text.includes(word));
      if (!element.hidden) shown += 1;
    }
    none.hidden = shown > 0;
    count.textContent = search.value === '' ? '' : counted(shown, 'service', 'services');
  };
  const search = h('input', {
    type: 'search',
    id: 'service-search',
    placeholder: 'Search services',
    autocomplete: 'off',
    oninput: filter,
  });
  app.afterRender(filter);
  return h(
    'section',
    { class: 'card', 'aria-labelledby': 'services-title' },
    h(
      'div',
      { class: 'card-head' },
      h('h2', { id: 'services-title' }, 'By service'),
      changed.length === 0 ? null : h('span', { class: 'tag here' }, `${changed.length} changed`),
    ),
    h(
      'p',
      { class: 'soft' },
      'Choose another region for one service, or switch it off to use it as if we were not there.',
    ),
    h(
      'div',
      { class: 'search' },
      icon('search'),
      h('label', { for: 'service-search', class: 'offscreen' }, 'Search services'),
      search,
    ),
    count,
    h(
      'ul',
      { class: 'rows services' },
      rows.map(({ element }) => element),
    ),
    none,
  );
}

/**
 * @param {App} app
 * @param {Service} service
 * @param {Named[]} regions
 */
function serviceRow(app, { id, title, regions: own }, regions) {
  const { account } = app.page;
  const held = account.services[id] || '';
  const offered = regions.filter((region) => own.includes(region.id));
  const usual = offered.find((region) => region.id === account.region) || offered[0];
  const option = (/** @type {string} */ value, /** @type {string} */ text) =>
    h('option', { value, selected: value === held }, text);
  const isKnown = held === '' || held === 'off' || offered.some((region) => region.id === held);
  const select = h(
    'select',
    {
      id: `service-${id}`,
      onchange: (/** @type {Event} */ event) =>
        choose(app, { id, title }, /** @type {HTMLSelectElement} */ (event.target).value),
    },
    option('', usual === undefined ? 'As usual' : `As usual: ${usual.title}`),
    offered.map((region) => option(region.id, region.title)),
    isKnown ? null : option(held, `${held} (not available now)`),
    option('off', 'Off'),
  );
  return h(
    'li',
    { class: held === '' ? 'item' : 'item changed' },
    h('label', { class: 'item-main item-title', for: `service-${id}` }, title),
    h('div', { class: 'select' }, select, icon('chevron')),
  );
}

/**
 * @param {App} app
 * @param {Named} service
 * @param {string} value a region, `off`, or empty for as usual
 */
function choose(app, { id, title }, value) {
  const services = { ...app.page.account.services };
  if (value === '') delete services[id];
  else services[id] = value;
  const region = app.page.regions.find((one) => one.id === value);
  const words =
    value === ''
      ? 'follows your region again'
      : value === 'off'
        ? 'is off'
        : `is now watched from ${region ? region.title : value}`;
  return app.change(() => call('PATCH', '/v1/account', { services }), `${title} ${words}.`);
}

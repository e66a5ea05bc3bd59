import { call } from './api.js';
import { h } from './dom.js';
import { icon } from './icons.js';
import { regionName, say } from './say.js';

/** @typedef {import('./app').App} App */
/** @typedef {import('./types').Service} Service */
/** @typedef {{ id: string, title: string }} Named */

/**
 * Shows the region for everything and regions of single services.
 *
 * @param {App} app
 */
export function regionsView(app) {
  const regions = app.page.regions.map(({ id, title }) => ({ id, title: regionName({ id, title }) }));
  return h(
    'div',
    { class: 'stack' },
    h(
      'header',
      { class: 'view-head' },
      h('h1', null, say('regions.title')),
      h('p', { class: 'lead' }, say('regions.lead')),
    ),
    regionCard(app, regions),
    servicesCard(app, regions),
    h('p', { class: 'soft' }, say('regions.catalog', { version: app.page.catalogVersion })),
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
    return app.change(
      () => call('PATCH', '/v1/account', { region: id }),
      say('regions.chosen', { region: title }),
    );
  };
  return h(
    'section',
    { class: 'card' },
    h(
      'fieldset',
      null,
      h('legend', { class: 'card-title' }, say('regions.all')),
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
  const none = h('p', { class: 'empty-line', hidden: true }, say('regions.none'));
  const count = h('p', { class: 'offscreen', role: 'status' });
  const filter = () => {
    const words = search.value.toLowerCase().trim().split(/\s+/);
    let shown = 0;
    for (const { text, element } of rows) {
      element.hidden = !words.every((word) => text.includes(word));
      if (!element.hidden) shown += 1;
    }
    none.hidden = shown > 0;
    count.textContent = search.value === '' ? '' : say('regions.found', { count: shown });
  };
  const search = h('input', {
    type: 'search',
    id: 'service-search',
    placeholder: say('regions.search'),
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
      h('h2', { id: 'services-title' }, say('regions.services')),
      changed.length === 0
        ? null
        : h('span', { class: 'tag here' }, say('regions.changed', { count: changed.length })),
    ),
    h('p', { class: 'soft' }, say('regions.services-lead')),
    h(
      'div',
      { class: 'search' },
      icon('search'),
      h('label', { for: 'service-search', class: 'offscreen' }, say('regions.search')),
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
    option('', usual === undefined ? say('regions.auto') : say('regions.auto-in', { region: usual.title })),
    offered.map((region) => option(region.id, region.title)),
    isKnown ? null : option(held, say('regions.gone', { region: held })),
    option('off', say('regions.off')),
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
      ? say('regions.service-auto', { service: title })
      : value === 'off'
        ? say('regions.service-off', { service: title })
        : say('regions.service-in', { service: title, region: region ? regionName(region) : value });
  return app.change(() => call('PATCH', '/v1/account', { services }), words);
}

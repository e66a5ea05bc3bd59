/**
 * A home with a browser in it. The browser reaches everything through a proxy that stands for the home's router and its
 * DNS: so a test says by which address the home calls and which DNS servers its devices ask, and the names of the
 * self-test are answered by the real edge.
 */
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';
import { askUdp } from './dns-client.ts';
import { RunningService, type StartOptions } from './service.ts';

export const SITE = 'http://dns.home.test';
const SITE_HOST = 'dns.home.test';
const FOUR = 'four.home.test';
const SIX = 'six.home.test';
const ZONE = 'check.home.test';
export const DNS_ADDRESSES = ['198.51.99.53', '198.51.99.54'] as const;

/** A service whose page is at SITE. */
export function startSite({ control = {}, ...rest }: { control?: object } & Record<string, unknown> = {}) {
  const options: StartOptions = {
    config: {
      dns: { testZone: ZONE },
      registration: { allowPrivate: true, perAccount: 3 },
      control: { publicUrl: SITE, addresses: ['127.0.0.1'], dnsAddresses: DNS_ADDRESSES, ...control },
      ...rest,
    },
  };
  return RunningService.start(options);
}

export const FAMILY_URLS = { ipv4: `http://${FOUR}`, ipv6: `http://${SIX}` } as const;

/** Background traffic of the browser itself is switched off, as nothing here is to leave this machine. */
export const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launchBrowser(): Promise<Browser> {
  const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}

export interface HomeOptions {
  /** The home's IPv4 address, in 127/8. */
  readonly address: string;
  readonly hasIPv6?: boolean;
}

export class Home {
  address: string;
  hasIPv6: boolean;
  /** Whom the devices ask; `mixed`: now us, now someone else. */
  dns: 'ours' | 'other' | 'mixed' = 'ours';
  /** Where the questions come from: the home's address, unless a test says otherwise. */
  asksFrom: readonly string[] | null = null;
  /** Changes what the page is told, for what no loopback address has: being private, ending soon. */
  // biome-ignore lint/suspicious/noExplicitAny: the reply, as it stands
  alterPage: ((page: any) => void) | null = null;
  /** The connection is cut. */
  isCut = false;
  private readonly service: RunningService;
  private readonly proxy: http.Server;
  private readonly sockets = new Set<Socket>();
  private questions = 0;

  private constructor(service: RunningService, { address, hasIPv6 = false }: HomeOptions) {
    this.service = service;
    this.address = address;
    this.hasIPv6 = hasIPv6;
    this.proxy = http.createServer((request, response) => {
      this.forward(request, response).catch(() => response.destroy());
    });
    // Drops the browser's own background requests.
    this.proxy.on('connect', (_request, socket) => socket.destroy());
    this.proxy.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  static async open(service: RunningService, options: HomeOptions): Promise<Home> {
    const home = new Home(service, options);
    home.proxy.listen(0, '127.0.0.1');
    await once(home.proxy, 'listening');
    return home;
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.proxy.close();
  }

  /** A fresh browser of this home. */
  async visit(browser: Browser, options: BrowserContextOptions = {}): Promise<Visit> {
    const { port } = this.proxy.address() as AddressInfo;
    const context = await browser.newContext({ proxy: { server: `http://127.0.0.1:${port}` }, ...options });
    return Visit.begin(context);
  }

  private async forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '');
    const isThere = !this.isCut && (await this.resolves(url.hostname));
    if (!isThere) return void response.destroy();
    const bySix = url.hostname === SIX;
    const to = new URL(bySix ? this.service.controlUrl6 : this.service.controlUrl);
    const onward = http.request({
      host: to.hostname.replace(/^\[|\]$/g, ''),
      port: to.port,
      localAddress: bySix ? '::1' : this.address,
      method: request.method,
      path: url.pathname + url.search,
      headers: request.headers,
      agent: false,
    });
    onward.on('error', () => response.destroy());
    onward.on('response', (reply) => {
      if (url.pathname === '/v1/page' && this.alterPage !== null) void this.answerAltered(reply, response);
      else reply.pipe(response.writeHead(reply.statusCode ?? 500, reply.headers));
    });
    request.pipe(onward);
  }

  private async answerAltered(reply: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of reply) chunks.push(chunk);
    const page = JSON.parse(Buffer.concat(chunks).toString());
    this.alterPage!(page);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(page));
  }

  private async resolves(host: string): Promise<boolean> {
    if (host === SITE_HOST || host === FOUR) return true;
    if (host === SIX) return this.hasIPv6;
    if (!host.endsWith(`.${ZONE}`)) return false;
    this.questions += 1;
    if (this.dns === 'other' || (this.dns === 'mixed' && this.questions % 3 === 0)) return false;
    const sources = this.asksFrom ?? [this.address];
    const from = sources[this.questions % sources.length]!;
    const { rcode, data } = await askUdp(from.includes(':') ? this.service.udp6 : this.service.udp, from, {
      name: host,
    });
    return rcode === 'NOERROR' && data.length > 0;
  }
}

/** A browser on the page. */
export class Visit {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Browser complaints: script errors, blocked by the content policy. */
  readonly complaints: string[] = [];
  /** Hosts that the page contacted. */
  readonly hosts = new Set<string>();

  private constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    page.setDefaultTimeout(15_000);
    context.on('request', (request) => this.hosts.add(new URL(request.url()).hostname));
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (message) => {
      if (/Content Security Policy|Refused to/.test(message.text())) this.complaints.push(message.text());
    });
  }

  static async begin(context: BrowserContext): Promise<Visit> {
    return new Visit(context, await context.newPage());
  }

  async signIn(secret: string): Promise<void> {
    await this.page.goto(`${SITE}/sign-in`);
    await this.page.getByLabel('Account secret').fill(secret);
    await this.page.getByRole('button', { name: 'Sign in' }).click();
    await this.page.waitForURL(`${SITE}/`);
    await this.settled();
  }

  /** Opens the page with an existing session. */
  async enter(service: RunningService, secret: string): Promise<void> {
    const { headers } = await service.as('').call('POST', '/v1/session', { secret });
    const value = /ms_session=([^;]+)/.exec(String(headers['set-cookie']))![1]!;
    await this.context.addCookies([
      { name: 'ms_session', value, url: SITE, httpOnly: true, sameSite: 'Strict' },
    ]);
    await this.page.goto(SITE);
    await this.settled();
  }

  /** Waits until the page has checked its network. */
  async settled(): Promise<void> {
    await this.page.locator('.hero:not([aria-busy])').first().waitFor();
  }

  async go(view: string): Promise<void> {
    await this.page.goto(`${SITE}/#${view}`);
    await this.page.locator('#view h1').first().waitFor({ state: 'attached' });
  }

  /** Waits for the latest notice. */
  notice(text: string): Promise<void> {
    return this.page.locator('#notice', { hasText: text }).waitFor();
  }

  end(): Promise<void> {
    return this.context.close();
  }
}

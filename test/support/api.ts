import { Agent, request } from 'undici';

export interface ApiReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at whatever the reply holds
  readonly body: any;
}

export interface ApiOptions {
  readonly key?: string;
  /** The source address of the calls. */
  readonly from?: string;
}

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT';

/** Calls the control API over a connection of each call's own. */
export class Api {
  private readonly url: string;
  private readonly options: ApiOptions;

  constructor(url: string, options: ApiOptions = {}) {
    this.url = url;
    this.options = options;
  }

  /** @param body an object is sent as JSON, text as it is */
  async call(
    method: Method,
    path: string,
    body?: object | string,
    headers: Record<string, string> = {},
  ): Promise<ApiReply> {
    const { key, from } = this.options;
    const dispatcher = new Agent(from === undefined ? {} : { localAddress: from });
    try {
      const reply = await request(this.url + path, {
        method,
        dispatcher,
        headers: {
          ...(key !== undefined && { authorization: `Bearer ${key}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined || typeof body === 'string' ? (body ?? null) : JSON.stringify(body),
      });
      const text = await reply.body.text();
      return { status: reply.statusCode, headers: reply.headers, text, body: parsed(text) };
    } finally {
      await dispatcher.close();
    }
  }

  /** Makes something: POST, which must answer 200 or 201. @returns the reply's body */
  async make(path: string, body: object = {}): Promise<ApiReply['body']> {
    const reply = await this.call('POST', path, body);
    if (reply.status !== 201 && reply.status !== 200) throw new Error(`POST ${path}: ${reply.status}`);
    return reply.body;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

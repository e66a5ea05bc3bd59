import type { Exposition, ExpositionOptions } from './exposition.ts';

/** What prom-client's registries say of themselves. */
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** An exposition whose library is loaded once the process serves: it is a twentieth of its start. */
export class LaterExposition {
  readonly contentType = CONTENT_TYPE;
  private readonly options: ExpositionOptions;
  private loading: Promise<Exposition> | null = null;

  constructor(options: ExpositionOptions) {
    this.options = options;
  }

  /** From now on the process's own metrics are counted. A scrape does it too. */
  load(): Promise<Exposition> {
    this.loading ??= import('./exposition.ts').then(({ Exposition }) => new Exposition(this.options));
    return this.loading;
  }

  async text(): Promise<string> {
    return (await this.load()).text();
  }
}

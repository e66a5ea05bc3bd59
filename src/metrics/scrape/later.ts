import type { Exposition, ExpositionOptions } from './exposition.ts';
import type { MetricFamily } from './families.ts';

/** Content type of prom-client's registries. */
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** An exposition that loads prom-client after the process serves: loading it takes a twentieth of the start. */
export class LaterExposition {
  readonly contentType = CONTENT_TYPE;
  private readonly options: ExpositionOptions;
  private loading: Promise<Exposition> | null = null;

  constructor(options: ExpositionOptions) {
    this.options = options;
  }

  /** Loads the library and starts to sample the process's own metrics. The first scrape does it too. */
  load(): Promise<Exposition> {
    this.loading ??= import('./exposition.ts').then(({ Exposition }) => new Exposition(this.options));
    return this.loading;
  }

  async text(): Promise<string> {
    return (await this.load()).text();
  }
}

/** Formats families as Prometheus' text (0.0.4). */
export async function expositionText(families: readonly MetricFamily[]): Promise<string> {
  const { textOf } = await import('./exposition.ts');
  return textOf(families);
}

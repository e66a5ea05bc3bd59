import type { NewUpdateToken, PageData, Tally, VerdictName, Way } from './types';

/** What the views see of the page and may do with it. */
export interface App {
  page: PageData;
  /** Null while this network is looked at. */
  ways: Way[] | null;
  /** The self-test; null before the first. Its verdict is null while it runs. */
  test: { share: number; verdict: VerdictName | null; tally: Tally | null } | null;
  /** The update token that was just made. It is nowhere else. */
  newToken: NewUpdateToken | null;
  /** What is being typed as this network's name; null where its form is closed. It outlives a render. */
  naming: string | null;
  nowMs(): number;
  /** Makes the view anew. */
  render(): void;
  /** Has something done when the view stands in the document. */
  afterRender(act: () => void): void;
  /** Asks for everything again, and tells `words`. */
  reload(words?: string): Promise<void>;
  /** Does something, asks again, tells `words`; failing, tells why and shows what holds. */
  change(act: () => Promise<unknown>, words: string): Promise<void>;
  /** Does something and tells why it failed. */
  attempt(act: () => Promise<unknown>): Promise<void>;
  /** Registers this network. `full`: the limit is reached, which is thrown instead where `throwsFull`. */
  register(options: { label?: string; replace?: 'oldest' }, throwsFull?: boolean): Promise<'done' | 'full'>;
  registerQuietly(): Promise<void>;
  runTest(): Promise<void>;
  /** Why a call failed; `field` is what the form calls the field that may be at fault. */
  sentence(error: unknown, field: string): string;
}

import type { AddressPath, NewPrivateName, NewUpdateToken, PageData, Tally, VerdictName } from './types';

/** State and actions of the page that views use. */
export interface App {
  page: PageData;
  /** Null while this network is being checked. */
  paths: AddressPath[] | null;
  /** The self-test; null before the first run. Its verdict is null while it runs. */
  test: { share: number; verdict: VerdictName | null; tally: Tally | null } | null;
  /** The update token that was just created. It is stored nowhere else. */
  newToken: NewUpdateToken | null;
  /** The private name that was just created. It is stored nowhere else. */
  newName: NewPrivateName | null;
  /** Text typed as this network's name; null if the form is closed. It survives a render. */
  naming: string | null;
  nowMs(): number;
  /** Renders the view again. */
  render(): void;
  /** Runs `act` once the view is in the document. */
  afterRender(act: () => void): void;
  /** Loads everything again and announces `words`. */
  reload(words?: string): Promise<void>;
  /** Runs `act`, reloads, announces `words`. On failure announces the reason and shows the current state. */
  change(act: () => Promise<unknown>, words: string): Promise<void>;
  /** Runs `act` and announces a failure. */
  attempt(act: () => Promise<unknown>): Promise<void>;
  /** Registers this network. `full`: the limit is reached; thrown instead if `throwsFull`. */
  register(options: { label?: string; replace?: 'oldest' }, throwsFull?: boolean): Promise<'done' | 'full'>;
  registerQuietly(): Promise<void>;
  runTest(): Promise<void>;
  /** Returns the sentence for a failed call; `field` is the form's name of the field that may be wrong. */
  sentence(error: unknown, field: string): string;
}

/** Texts in the person's language, as the server compiles them: a message without placeholders is text. */
declare global {
  var pageTexts: {
    readonly language: string;
    readonly languages: readonly (readonly [tag: string, name: string])[];
    readonly messages: Readonly<Record<string, (values: Record<string, string | number>) => string>>;
  };
}

/**
 * Environment variables and files in a configuration: `${NAME}`, `${NAME:-default}` (the default counts if NAME is unset
 * or empty, as in a shell) and `${file:PATH}`, the text of a file without its last line break; `$${` stands for a literal
 * `${`.
 *
 * Each expression becomes a token before the YAML is parsed, and the token becomes its value in the parsed scalars.
 * So a value cannot change the file's structure, `[{ address: ${NAME} }]` needs no quotes, and comments may name
 * unset variables.
 */

// Private-use characters (Unicode 15, section 23.5): YAML allows them anywhere in a plain scalar.
const OPEN = '\u{f0000}';
const CLOSE = '\u{f0001}';
const TOKEN = new RegExp(`${OPEN}(\\d+)${CLOSE}`, 'gu');
const EXPRESSION = /\$\$\{|\$\{(?:([^}\n]*)\})?/g;
const FILE = /^file:(.+)$/su;
const NAME_AND_DEFAULT = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/su;

const MALFORMED = {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's, not JavaScript's
  found: 'a ${ without a name and a }',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's, not JavaScript's
  expected: '${NAME}, ${NAME:-default} or ${file:PATH}',
};

const MALFORMED_VALUE = { name: null, problem: MALFORMED };

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the file that `${file:PATH}` names. @returns its text, or why there is none, to follow the path in an error */
export type FileReader = (path: string) => { readonly text: string } | { readonly problem: string };

export interface Substitution {
  readonly text: string;
  /** Substituted expressions: names of variables, and `file:PATH`. */
  readonly variables: readonly string[];
  readonly problem?: { readonly found: string; readonly expected: string };
}

type Value =
  | { readonly name: string; readonly text: string }
  | { readonly name: string | null; readonly problem: NonNullable<Substitution['problem']> };

/** Expressions of one file, from `tokenize` until its scalars are read. */
export class Substitutions {
  /** undefined: the escape `$${`; null: malformed. */
  private readonly expressions: (string | null | undefined)[] = [];
  private readonly environment: Environment;
  private readonly readFile: FileReader;
  /** Each file is read once, so that all its uses agree. */
  private readonly files = new Map<string, ReturnType<FileReader>>();

  constructor(environment: Environment, readFile: FileReader) {
    this.environment = environment;
    this.readFile = readFile;
  }

  /** Replaces each expression by a token. Line numbers stay the same. */
  tokenize(text: string): string {
    const clean = text.replaceAll(OPEN, '\ufffd').replaceAll(CLOSE, '\ufffd');
    return clean.replace(EXPRESSION, (whole, inner: string | undefined) => {
      if (whole === '$${') return this.token(undefined);
      return this.token(inner ?? null);
    });
  }

  /** Replaces each token of a scalar by its value; null if it holds none. */
  apply(scalar: string): Substitution | null {
    if (!scalar.includes(OPEN)) return null;
    const variables: string[] = [];
    let problem: Substitution['problem'];
    const text = scalar.replace(TOKEN, (_, index: string) => {
      const expression = this.expressions[Number(index)];
      if (expression === undefined) return '${';
      const value = expression === null ? MALFORMED_VALUE : this.valueOf(expression);
      if (value.name !== null) variables.push(value.name);
      if ('text' in value) return value.text;
      problem ??= value.problem;
      return '';
    });
    return problem ? { text, variables, problem } : { text, variables };
  }

  private valueOf(expression: string): Value {
    const path = FILE.exec(expression)?.[1];
    if (path !== undefined) return this.textOfFile(path);
    const [, name, byDefault] = NAME_AND_DEFAULT.exec(expression) ?? [];
    if (name === undefined) return MALFORMED_VALUE;
    const value = this.environment[name];
    if (byDefault !== undefined)
      return { name, text: value === undefined || value === '' ? byDefault : value };
    if (value !== undefined) return { name, text: value };
    const found = `\${${name}}, which is not set`;
    return { name, problem: { found, expected: `the environment variable ${name}` } };
  }

  private textOfFile(path: string): Value {
    const name = `file:${path}`;
    const read = this.files.get(path) ?? this.readFile(path);
    this.files.set(path, read);
    if ('text' in read) return { name, text: read.text.replace(/\r?\n$/, '') };
    return { name, problem: { found: `\${${name}}, ${read.problem}`, expected: 'a readable text file' } };
  }

  private token(expression: string | null | undefined): string {
    this.expressions.push(expression);
    return `${OPEN}${this.expressions.length - 1}${CLOSE}`;
  }
}

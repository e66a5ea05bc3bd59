/**
 * Environment variables in a configuration: `${NAME}` and `${NAME:-default}` (the default counts if NAME is unset
 * or empty, as in a shell); `$${` stands for a literal `${`.
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
const NAME_AND_DEFAULT = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/su;

const MALFORMED = {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's, not JavaScript's
  found: 'a ${ without a name and a }',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's, not JavaScript's
  expected: '${NAME} or ${NAME:-default}',
};

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Substitution {
  readonly text: string;
  /** Names of the substituted variables. */
  readonly variables: readonly string[];
  readonly problem?: { readonly found: string; readonly expected: string };
}

/** Expressions of one file, from `tokenize` until its scalars are read. */
export class Substitutions {
  /** undefined: the escape `$${`; null: malformed. */
  private readonly expressions: (string | null | undefined)[] = [];
  private readonly environment: Environment;

  constructor(environment: Environment) {
    this.environment = environment;
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
      const match = expression ? NAME_AND_DEFAULT.exec(expression) : null;
      if (match === null) {
        problem ??= MALFORMED;
        return '';
      }
      const name = match[1]!;
      variables.push(name);
      const value = this.environment[name];
      if (match[2] !== undefined) return value === undefined || value === '' ? match[2] : value;
      if (value === undefined) {
        problem ??= { found: `\${${name}}, which is not set`, expected: `the environment variable ${name}` };
        return '';
      }
      return value;
    });
    return problem ? { text, variables, problem } : { text, variables };
  }

  private token(expression: string | null | undefined): string {
    this.expressions.push(expression);
    return `${OPEN}${this.expressions.length - 1}${CLOSE}`;
  }
}

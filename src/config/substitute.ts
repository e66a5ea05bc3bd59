/**
 * Environment variables in a configuration: `${NAME}` and `${NAME:-default}` (taken where NAME is unset or
 * empty, as in a shell); `$${` stands for a plain `${`.
 *
 * Each expression is replaced by a token before the YAML is parsed, and the token by its value in the scalars
 * that come out. So a value cannot change the file's structure, `[{ address: ${NAME} }]` needs no quotes,
 * and comments may name variables that are not set.
 */

// Private-use characters (Unicode 15, section 23.5): YAML lets them stand anywhere in a plain scalar.
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
  /** The variables that the text came from; empty where nothing was substituted. */
  readonly variables: readonly string[];
  readonly fault?: { readonly found: string; readonly expected: string };
}

/** Holds the expressions of one file between its tokenising and the reading of its scalars. */
export class Substitutions {
  /** undefined stands for the escape `$${`, null for what is not an expression. */
  private readonly expressions: (string | null | undefined)[] = [];
  private readonly environment: Environment;

  constructor(environment: Environment) {
    this.environment = environment;
  }

  /** The file's text with each expression replaced by a token. Lines stay where they are. */
  tokenise(text: string): string {
    const clean = text.replaceAll(OPEN, '\ufffd').replaceAll(CLOSE, '\ufffd');
    return clean.replace(EXPRESSION, (whole, inner: string | undefined) => {
      if (whole === '$${') return this.token(undefined);
      return this.token(inner ?? null);
    });
  }

  /** A scalar's text with each token replaced by its value; null where it holds no token. */
  apply(scalar: string): Substitution | null {
    if (!scalar.includes(OPEN)) return null;
    const variables: string[] = [];
    let fault: Substitution['fault'];
    const text = scalar.replace(TOKEN, (_, index: string) => {
      const expression = this.expressions[Number(index)];
      if (expression === undefined) return '${';
      const match = expression ? NAME_AND_DEFAULT.exec(expression) : null;
      if (match === null) {
        fault ??= MALFORMED;
        return '';
      }
      const name = match[1]!;
      variables.push(name);
      const value = this.environment[name];
      if (match[2] !== undefined) return value === undefined || value === '' ? match[2] : value;
      if (value === undefined) {
        fault ??= { found: `\${${name}}, which is not set`, expected: `the environment variable ${name}` };
        return '';
      }
      return value;
    });
    return fault ? { text, variables, fault } : { text, variables };
  }

  private token(expression: string | null | undefined): string {
    this.expressions.push(expression);
    return `${OPEN}${this.expressions.length - 1}${CLOSE}`;
  }
}

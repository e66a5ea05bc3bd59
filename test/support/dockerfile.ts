/** One instruction of a Dockerfile: continuation lines joined, comments left out. */
export interface Instruction {
  readonly name: string;
  /** The text after the name and its `--flags`. */
  readonly value: string;
  readonly flags: Readonly<Record<string, string>>;
}

/** A stage: from one FROM to the next. */
export interface Stage {
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

/** Reads a Dockerfile into its stages, with each ARG before the first FROM at its default. Knows no heredocs. */
export function parseDockerfile(text: string): Stage[] {
  const lines = text
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const stages: { base: string; instructions: Instruction[] }[] = [];
  const bases: Record<string, string> = {};
  for (const line of lines) {
    const [, name, flagText, value] = /^([A-Z]+)((?:\s+--[\w-]+=\S+)*)\s+(.*)$/.exec(line.trim()) ?? [];
    if (name === undefined) throw new Error(`no Dockerfile instruction: ${line}`);
    if (name === 'FROM') {
      stages.push({ base: value.replace(/\$\{(\w+)\}/g, (_, key) => bases[key]), instructions: [] });
      continue;
    }
    if (name === 'ARG' && stages.length === 0) {
      const equals = value.indexOf('=');
      bases[value.slice(0, equals)] = value.slice(equals + 1);
      continue;
    }
    const flags = Object.fromEntries(
      [...flagText.matchAll(/--([\w-]+)=(\S+)/g)].map(([, key, to]) => [key, to]),
    );
    stages[stages.length - 1].instructions.push({ name, value: value.replace(/\s+/g, ' '), flags });
  }
  return stages;
}

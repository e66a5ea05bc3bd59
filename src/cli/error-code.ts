/** The stable code of an error for a log line: never its message, which may hold what a client sent. */
export function errorCode(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? 'unknown');
}

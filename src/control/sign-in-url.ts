/** Returns the URL that signs a person in. The token stands behind the #: it is sent to no server and in no Referer. */
export function signInUrl(publicUrl: string, token: string): string {
  return `${new URL('/sign-in', publicUrl).href}#${token}`;
}

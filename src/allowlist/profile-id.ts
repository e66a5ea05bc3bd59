/** Profile number in the table: 1 to 65,534; 0 means not registered. */
export type ProfileId = number & { readonly __brand: 'ProfileId' };

export const NOT_REGISTERED = 0 as ProfileId;
export const MAX_PROFILE_ID = 65_534;
export const PROFILE_ID_SPACE = 65_536;

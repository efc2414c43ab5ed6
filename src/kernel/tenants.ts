/** Whose everything is where nobody says otherwise. */
export const DEFAULT_TENANT = 'default'

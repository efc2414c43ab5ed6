// Where a database is and how to get in: plain data, handed to worker threads as it is.

export type DatabaseAddress =
  | { readonly connectionString: string }
  | {
      /** Host name, or the folder of a Unix socket. */
      readonly host: string
      readonly port: number
      readonly user: string
      readonly password: string
      readonly database: string
    }

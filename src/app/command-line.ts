// What commands share: settings, a log that says only what went wrong, problems as a person reads them.

import type { Command } from 'commander'
import { createPinoLogger } from '../adapters/logger/pino-logger.ts'
import { PlatformError } from '../kernel/errors.ts'
import type { Logger } from '../ports/logger.ts'
import { loadSettings, type Settings } from './settings.ts'

export const DONE = 0
export const FAILED = 1
export const WRONG_USAGE = 2

/** The call itself is wrong; the message says how. */
export class UsageError extends Error {}

/** Commands other than `start` speak on standard output; only trouble goes to the log. */
export function commandLogger(): Logger {
  return createPinoLogger({ level: 'error' })
}

export function commandSettings(
  overrides: Readonly<Record<string, string | undefined>> = {},
): Promise<Settings> {
  return loadSettings({ environment: process.env, directory: process.cwd(), overrides })
}

/** Runs a command's work and turns what it says or throws into the exit code. */
export async function carryOut(command: Command, work: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await work()
  } catch (error) {
    if (error instanceof UsageError) {
      command.error(`error: ${error.message}`, { exitCode: WRONG_USAGE })
    }
    process.stderr.write(`${problemText(error)}\n`)
    const wrongUsage = error instanceof PlatformError && error.code === 'bad-setting'
    process.exitCode = wrongUsage ? WRONG_USAGE : FAILED
  }
}

/** A platform's error in words, with its causes; a bug with its stack. */
export function problemText(error: unknown): string {
  if (!(error instanceof PlatformError)) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
  const causes: string[] = []
  let cause = error.cause
  while (cause instanceof Error) {
    causes.push(`\n  because: ${cause.message}`)
    cause = cause.cause
  }
  return error.message + causes.join('')
}

/** Columns of text, numbers to the right. */
export function table(
  headers: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const shown = rows.map((row) =>
    row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : cell)),
  )
  const widths = headers.map((header, column) =>
    Math.max(header.length, ...shown.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[], numeric: (column: number) => boolean): string =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return numeric(column) ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd()
  const isNumeric = (column: number): boolean => typeof rows[0]?.[column] === 'number'
  return [line(headers, isNumeric), ...shown.map((row) => line(row, isNumeric))].join('\n')
}

// `outrider token`: bearer credentials for people, devices and merchants. The secret is shown once.

import { userInfo } from 'node:os'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { createTokenStore } from '../../adapters/postgres/token-store.ts'
import { newSecret } from '../../adapters/random/system-random.ts'
import { ROLES, type Role } from '../../api/access.ts'
import { MAX_TOKENS_LISTED, newToken } from '../../api/token-issue.ts'
import { tokenJson } from '../../api/token-json.ts'
import { DAY_MS, toIso } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { TokenStore } from '../../ports/token-store.ts'
import { carryOut, commandLogger, commandSettings, DONE, FAILED, table } from '../command-line.ts'
import { openInspection } from '../inspection.ts'

const MAX_DAYS = 3_650
const MAX_NAME_LENGTH = 200

interface Common {
  readonly json?: true
  readonly dataDir?: string
}

interface CreateFlags extends Common {
  readonly role: Role
  readonly tenant?: string
  readonly name?: string
  readonly days?: number
}

export function registerToken(program: Command): void {
  const token = program
    .command('token')
    .description('bearer credentials: make, list, revoke; the secret of one is shown once')
  const common = (command: Command): Command =>
    command
      .option('--json', 'one JSON document on standard output')
      .option('--data-dir <folder>', 'where log and database are kept (default: .outrider)')
  common(
    token
      .command('create')
      .description('make a token, and print it')
      .addOption(new Option('--role <role>', 'what it allows').choices(ROLES).makeOptionMandatory())
      .option('--tenant <id>', 'whose rows it opens; for the role merchant, the merchant', nameOf)
      .option('--name <text>', 'what it is for', nameOf)
      .option(
        '--days <number>',
        `days until it ends, at most ${MAX_DAYS} (default: never)`,
        daysOf,
      ),
  ).action((flags: CreateFlags, command: Command) =>
    carryOut(command, () => create(command, flags)),
  )
  common(token.command('list').description('tokens, newest first, without their secrets')).action(
    (flags: Common, command: Command) => carryOut(command, () => list(flags)),
  )
  common(
    token.command('revoke').description('end a token, from its next request on').argument('<id>'),
  ).action((id: string, flags: Common, command: Command) =>
    carryOut(command, () => revoke(id, flags)),
  )
}

async function create(command: Command, flags: CreateFlags): Promise<number> {
  if (flags.role === 'merchant' && flags.tenant === undefined) {
    command.error('error: --role merchant needs --tenant, the id of the merchant')
  }
  return withStore(flags, async (store, clock) => {
    const { token, hash, secret } = newToken({
      secret: newSecret(),
      role: flags.role,
      tenant: flags.tenant,
      name: flags.name ?? '',
      createdBy: `${userInfo().username} by command`,
      nowMs: clock.nowMs(),
      expiresAtMs: flags.days === undefined ? null : clock.nowMs() + flags.days * DAY_MS,
    })
    await store.create(token, hash)
    process.stdout.write(
      flags.json === true
        ? `${JSON.stringify({ ...tokenJson(token), token: secret })}\n`
        : `${secret}\n`,
    )
    if (flags.json !== true) process.stderr.write(`Token ${token.id}. It is not shown again.\n`)
    return DONE
  })
}

function list(flags: Common): Promise<number> {
  return withStore(flags, async (store) => {
    const tokens = await store.list(MAX_TOKENS_LISTED)
    process.stdout.write(
      flags.json === true
        ? `${JSON.stringify({ items: tokens.map(tokenJson) })}\n`
        : table(
            ['id', 'role', 'tenant', 'merchant', 'name', 'made', 'ends', 'revoked'],
            tokens.map((one) => [
              ...[one.id, one.role, one.tenantId, one.merchantId ?? '', one.name],
              ...[one.createdAtMs, one.expiresAtMs, one.revokedAtMs].map((at) =>
                at === null ? '' : toIso(at).slice(0, 16),
              ),
            ]),
          ),
    )
    return DONE
  })
}

function revoke(id: string, flags: Common): Promise<number> {
  return withStore(flags, async (store) => {
    if (await store.revoke(id, `${userInfo().username} by command`)) {
      process.stdout.write(flags.json === true ? '{"revoked":true}\n' : 'Revoked.\n')
      return DONE
    }
    process.stderr.write(
      `There is no token "${id}" that could be revoked; see: outrider token list\n`,
    )
    return FAILED
  })
}

async function withStore(
  flags: Common,
  work: (store: TokenStore, clock: Clock) => Promise<number>,
): Promise<number> {
  const settings = await commandSettings({ DATA_DIR: flags.dataDir })
  const inspection = await openInspection(settings, commandLogger())
  try {
    return await work(createTokenStore(inspection.database), inspection.clock)
  } finally {
    await inspection.close()
  }
}

function nameOf(text: string): string {
  const name = text.trim()
  if (name !== '' && name.length <= MAX_NAME_LENGTH) return name
  throw new InvalidArgumentError(`It must have 1 to ${MAX_NAME_LENGTH} characters.`)
}

function daysOf(text: string): number {
  const days = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (days >= 1 && days <= MAX_DAYS) return days
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_DAYS}.`)
}

// The command line. Each command lives in a file of its own under commands/ and registers itself here.

import { Command } from 'commander'
import { WRONG_USAGE } from './command-line.ts'
import { registerArrivals } from './commands/arrivals.ts'
import { registerBench } from './commands/bench.ts'
import { registerDoctor } from './commands/doctor.ts'
import { registerGaps } from './commands/gaps.ts'
import { registerImport } from './commands/import.ts'
import { registerReplay } from './commands/replay.ts'
import { registerRoads } from './commands/roads.ts'
import { registerRules } from './commands/rules.ts'
import { registerSimulate } from './commands/simulate.ts'
import { registerStart } from './commands/start.ts'
import { registerToken } from './commands/token.ts'
import { registerVerify } from './commands/verify.ts'
import { openEmbeddedSink } from './embedded-sink.ts'
import { programVersion } from './version.ts'

const program = new Command('outrider')
  .description('Real-time operations platform for things that move')
  .version(programVersion())
  .showHelpAfterError('Add --help to see what there is.')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : WRONG_USAGE))

registerStart(program)
registerSimulate(program)
registerImport(program, { openEmbedded: openEmbeddedSink })
registerArrivals(program)
registerRoads(program)
registerVerify(program)
registerGaps(program)
registerReplay(program)
registerRules(program)
registerDoctor(program)
registerToken(program)
registerBench(program)

await program.parseAsync()

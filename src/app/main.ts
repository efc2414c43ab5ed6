// The command line. Each command lives in a file of its own under commands/ and registers itself here.

import { Command } from 'commander'

const program = new Command('outrider')
  .description('Real-time operations platform for things that move')
  .showHelpAfterError()

await program.parseAsync()

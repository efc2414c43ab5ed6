// Imported before every file of tests. `--test-force-exit` ends the process of a file as soon as its last test has ended,
// also where results still wait in its pipe. Those were lost, a failure among them too, and the run told of success
// (nodejs/node, issue 64833). So a test's process waits until its pipe has taken what it writes.

/** The part of a pipe that Node does not document. */
interface Pipe {
  readonly _handle?: { setBlocking?(blocking: boolean): void }
}

if (process.env.NODE_TEST_CONTEXT !== undefined) {
  const { _handle: handle } = process.stdout as Pipe
  handle?.setBlocking?.(true)
}

/** One event of a stream; `data` is JSON on one line. */
export function serverSentEvent(name: string, data: string): string {
  return `event: ${name}\ndata: ${data}\n\n`
}

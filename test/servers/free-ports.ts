// Ports for servers that can't be asked to listen on any free one. Below the range that the kernel gives to
// outgoing connections and to whoever asks for port 0: nobody else gets one between its being found and its
// use, or while a server that was killed is down. Among ourselves a port is held by its name.

import { readFileSync } from 'node:fs'
import { type HeldName, holdName, isFreePort } from './held-names.ts'

const LOWEST_PORT = 10_000
/** Where the system does not say: as low as any gives ports away by itself. */
const USUAL_END = 32_768
const ATTEMPTS = 200

/** Held until this process ends, so that a server may be started again on its port. */
const held: HeldName[] = []

/** All different, and nobody else's for as long as this process lives. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = []
  const end = endOfOurRange()
  for (let attempt = 0; ports.length < count; attempt++) {
    if (attempt === count + ATTEMPTS) {
      throw new Error(`No free ports in ${LOWEST_PORT}–${end} after ${attempt} attempts.`)
    }
    const port = LOWEST_PORT + Math.floor(Math.random() * (end - LOWEST_PORT))
    if (await isOurs(port)) ports.push(port)
  }
  return ports
}

function endOfOurRange(): number {
  try {
    const [low = ''] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/)
    const end = Number(low)
    return end > LOWEST_PORT + 1_000 ? end : USUAL_END
  } catch {
    return USUAL_END
  }
}

async function isOurs(port: number): Promise<boolean> {
  const name = await holdName(`port-${port}`)
  if (name === undefined) return false
  if (await isFreePort(port)) {
    held.push(name)
    return true
  }
  await name.release()
  return false
}

// Reads a request's body into memory within limits: for one body, for one tenant and for all together.

import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'

/** Largest body, counted after decompression. */
export const MAX_BODY_BYTES = 8 * 1024 * 1024
/** Bodies in memory at once, from the first byte until their answer. */
export const MAX_IN_FLIGHT_BYTES = 64 * 1024 * 1024
/** Of these, what one tenant may hold. */
export const MAX_TENANT_IN_FLIGHT_BYTES = 32 * 1024 * 1024

export type BodyRefusal = 'aborted' | 'not-gzip' | 'overloaded' | 'tenant-overloaded' | 'too-large'

/** Why there is no body; an expected outcome that only has to cross the stream's callbacks. */
export class BodyError extends Error {
  readonly refusal: BodyRefusal

  constructor(refusal: BodyRefusal, cause?: unknown) {
    super(`The body was refused: ${refusal}.`, cause === undefined ? undefined : { cause })
    this.name = 'BodyError'
    this.refusal = refusal
  }
}

export interface InFlightLimits {
  readonly maxBytes: number
  readonly maxTenantBytes: number
}

/** Bytes that bodies hold at the moment. */
export class InFlight {
  readonly #limits: InFlightLimits
  readonly #byTenant = new Map<string, number>()
  #bytes = 0

  constructor(limits: InFlightLimits) {
    this.#limits = limits
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Throws where there is no room. */
  take(tenantId: string, bytes: number): void {
    const ofTenant = (this.#byTenant.get(tenantId) ?? 0) + bytes
    if (this.#bytes + bytes > this.#limits.maxBytes) throw new BodyError('overloaded')
    if (ofTenant > this.#limits.maxTenantBytes) throw new BodyError('tenant-overloaded')
    this.#bytes += bytes
    this.#byTenant.set(tenantId, ofTenant)
  }

  release(tenantId: string, bytes: number): void {
    this.#bytes -= bytes
    const left = (this.#byTenant.get(tenantId) ?? 0) - bytes
    if (left > 0) this.#byTenant.set(tenantId, left)
    else this.#byTenant.delete(tenantId)
  }
}

/** The share of one request; `release` gives all of it back. */
export class Reservation {
  readonly #inFlight: InFlight
  readonly #tenantId: string
  #bytes = 0

  constructor(inFlight: InFlight, tenantId: string) {
    this.#inFlight = inFlight
    this.#tenantId = tenantId
  }

  take(bytes: number): void {
    this.#inFlight.take(this.#tenantId, bytes)
    this.#bytes += bytes
  }

  release(): void {
    this.#inFlight.release(this.#tenantId, this.#bytes)
    this.#bytes = 0
  }
}

/** Resolves with the bytes as sent. Stops reading, without destroying the connection, where it is refused. */
export function readBody(stream: Readable, reservation: Reservation): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const stop = (error: BodyError): void => {
      stream.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onError)
      stream.on('error', () => {})
      stream.resume()
      reject(error)
    }
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length
      if (bytes > MAX_BODY_BYTES) {
        stop(new BodyError('too-large'))
        return
      }
      try {
        reservation.take(chunk.length)
      } catch (error) {
        stop(error instanceof BodyError ? error : new BodyError('overloaded', error))
        return
      }
      chunks.push(chunk)
    }
    const onEnd = (): void => {
      stream.off('close', onClose)
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks))
    }
    const onClose = (): void => stop(new BodyError('aborted'))
    const onError = (error: unknown): void => stop(new BodyError('aborted', error))
    stream.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onError)
  })
}

const gunzipAsync = promisify(gunzip)

/** Never makes more than `MAX_BODY_BYTES`, however small the input. */
export async function decompress(body: Buffer, reservation: Reservation): Promise<Buffer> {
  let decoded: Buffer
  try {
    decoded = await gunzipAsync(body, { maxOutputLength: MAX_BODY_BYTES })
  } catch (error) {
    const tooLarge = error instanceof RangeError
    throw new BodyError(tooLarge ? 'too-large' : 'not-gzip', error)
  }
  reservation.take(decoded.length)
  return decoded
}

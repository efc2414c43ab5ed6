// Reference tables as JSON objects under a prefix of a bucket: `s3://fleet/tables` holds `tables/vehicles.json`,
// which is the table `vehicles`. An object is read again only where its ETag has changed.

import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { PlatformError } from '../../kernel/errors.ts'
import type {
  ReferenceDocument,
  ReferenceProblem,
  ReferenceSource,
} from '../../ports/reference-source.ts'

/** A larger object is refused: every task holds its content. */
export const MAX_REFERENCE_BYTES = 64 * 1024 * 1024
export const MAX_REFERENCE_OBJECTS = 100
const REQUEST_TIMEOUT_MS = 10_000
const ENDING = '.json'

export interface S3Place {
  readonly bucket: string
  /** Without a slash at its ends; may be empty. */
  readonly prefix: string
  /** Null: the one of AWS. */
  readonly endpoint: string | null
  readonly region: string
}

/** Credentials come from where every AWS client finds them: environment, profile, or the machine's role. */
export function s3ReferenceSource(place: S3Place): ReferenceSource & { close(): void } {
  const client = new S3Client({
    region: place.region,
    // Servers other than AWS know buckets by path.
    ...(place.endpoint === null ? {} : { endpoint: place.endpoint, forcePathStyle: true }),
    maxAttempts: 2,
  })
  const known = new Map<string, ReferenceDocument>()
  return {
    async load() {
      const documents: ReferenceDocument[] = []
      const problems: ReferenceProblem[] = []
      for (const found of await listed(client, place)) {
        const before = known.get(found.key)
        const read =
          before !== undefined && before.tag === found.tag
            ? before
            : await readObject(client, place, found)
        if ('message' in read) problems.push(read)
        else {
          known.set(found.key, read)
          documents.push(read)
        }
      }
      return { documents, problems }
    },
    close: () => client.destroy(),
  }
}

interface FoundObject {
  readonly key: string
  readonly name: string
  readonly tag: string
  readonly bytes: number
}

async function listed(client: S3Client, place: S3Place): Promise<readonly FoundObject[]> {
  const { bucket, prefix } = place
  const start = prefix === '' ? '' : `${prefix}/`
  try {
    const { Contents: contents = [] } = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: start, Delimiter: '/' }),
      { abortSignal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) },
    )
    return contents
      .flatMap(({ Key: key = '', ETag: tag = '', Size: bytes = 0 }) =>
        key.endsWith(ENDING)
          ? [{ key, name: key.slice(start.length, -ENDING.length), tag, bytes }]
          : [],
      )
      .slice(0, MAX_REFERENCE_OBJECTS)
  } catch (error) {
    throw new PlatformError(
      'reference-unavailable',
      `Cannot list s3://${bucket}/${start}${place.endpoint === null ? '' : ` at ${place.endpoint}`}: ` +
        `${reasonOf(error)}. Check OUTRIDER_REFERENCE, OUTRIDER_S3_ENDPOINT and the credentials (AWS_ACCESS_KEY_ID …).`,
      { retry: 'later', cause: error },
    )
  }
}

async function readObject(
  client: S3Client,
  { bucket }: S3Place,
  { key, name, tag, bytes }: FoundObject,
): Promise<ReferenceDocument | ReferenceProblem> {
  if (bytes > MAX_REFERENCE_BYTES) {
    const message = `s3://${bucket}/${key} has ${bytes} bytes; ${MAX_REFERENCE_BYTES} are allowed`
    return { name, message }
  }
  try {
    const { Body: body, ETag: readTag } = await client.send(
      // What was listed is what is read: an object replaced meanwhile is read the next time.
      new GetObjectCommand({ Bucket: bucket, Key: key, IfMatch: tag }),
      { abortSignal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) },
    )
    const text = (await body?.transformToString('utf-8')) ?? ''
    return { name, content: JSON.parse(text) as unknown, tag: readTag ?? tag }
  } catch (error) {
    return { name, message: `cannot read s3://${bucket}/${key}: ${reasonOf(error)}` }
  }
}

/** Some failures of the client have a name and no message. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message === '' || error.message === 'UnknownError' ? error.name : error.message
}

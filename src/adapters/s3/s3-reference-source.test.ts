import { match, rejects } from 'node:assert/strict'
import { after, type TestContext, test } from 'node:test'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { s3OrSkip, type TestS3 } from '../../../test/servers/s3.ts'
import { isRetryable } from '../../kernel/errors.ts'
import { referenceSourceContract } from '../../ports/reference-source.contract.ts'
import { s3ReferenceSource } from './s3-reference-source.ts'

let server: Promise<TestS3 | undefined> | null = null
let buckets = 0

after(async () => (await server)?.stop())

async function openServer(t: TestContext): Promise<TestS3 | undefined> {
  server ??= s3OrSkip(t)
  const found = await server
  if (found === undefined) return (await s3OrSkip(t)) && undefined
  process.env.AWS_ACCESS_KEY_ID = found.accessKeyId
  process.env.AWS_SECRET_ACCESS_KEY = found.secretAccessKey
  return found
}

referenceSourceContract('S3', async (t) => {
  const found = await openServer(t)
  if (found === undefined) return undefined
  const { endpoint } = found
  const bucket = `tables-${++buckets}`
  const client = new S3Client({ region: 'us-east-1', endpoint, forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  const source = s3ReferenceSource({ bucket, prefix: 'fleet/now', endpoint, region: 'us-east-1' })
  t.after(() => {
    client.destroy()
    source.close()
  })
  const keyOf = (name: string) => `fleet/now/${name}`
  return {
    source,
    async put(name, text) {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: keyOf(name), Body: text }))
    },
    async remove(name) {
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: keyOf(name) }))
    },
  }
})

test('a bucket that is not there is said by name, and asked again later', async (t) => {
  const found = await openServer(t)
  if (found === undefined) return
  const { endpoint } = found
  const source = s3ReferenceSource({ bucket: 'nobody', prefix: '', endpoint, region: 'us-east-1' })
  t.after(() => source.close())
  await rejects(source.load(), (error) => {
    match(String(error), /Cannot list s3:\/\/nobody\/ at http:.*bucket/i)
    return isRetryable(error)
  })
})

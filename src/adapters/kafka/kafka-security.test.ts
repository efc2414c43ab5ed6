import { equal, match, ok, rejects } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { requireOrSkip } from '../../../test/requirements.ts'
import { type KafkaSecurity, startKafka } from '../../../test/servers/kafka.ts'
import { programPath } from '../../../test/servers/server.ts'
import { kafkaOrSkip } from '../../../test/servers/shared-kafka.ts'
import { PlatformError } from '../../kernel/errors.ts'
import { systemClock } from '../clock/system-clock.ts'
import type { KafkaAddress, SaslMechanism } from './kafka-address.ts'
import { openKafkaLog } from './kafka-log.ts'

const clock = systemClock()
const options = { timeout: 120_000 }

async function exchange(address: KafkaAddress, topic: string): Promise<void> {
  const log = openKafkaLog({ address, clock })
  try {
    await log.ensureTopic(topic, { partitions: 1 })
    await log.append(topic, [
      { key: 'a', value: Buffer.from('x'), receivedAtMs: 1, tenantId: 'default' },
    ])
    equal((await log.read(topic, 0, 0, { records: 9, bytes: 9_999 })).records.length, 1)
  } finally {
    await log.close()
  }
}

async function refused(address: KafkaAddress, expected: RegExp): Promise<void> {
  const log = openKafkaLog({ address, clock })
  try {
    await rejects(log.ensureTopic('any', { partitions: 1 }), (error: unknown) => {
      ok(error instanceof PlatformError)
      match(error.message, expected)
      equal(error.code, 'bad-setting')
      ok(!error.message.includes('wrong-secret'), 'no secret in a message')
      return true
    })
  } finally {
    await log.close()
  }
}

const LOGIN = 'org.apache.kafka.common.security'

const sasl: KafkaSecurity = {
  protocol: 'SASL_PLAINTEXT',
  properties: {
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.plain.sasl.jaas.config': `${LOGIN}.plain.PlainLoginModule required user_outrider="secret";`,
    'listener.scram-sha-256.sasl.jaas.config': `${LOGIN}.scram.ScramLoginModule required;`,
    'listener.scram-sha-512.sasl.jaas.config': `${LOGIN}.scram.ScramLoginModule required;`,
  },
  scramUsers: [
    'SCRAM-SHA-256=[name=outrider,password=secret]',
    'SCRAM-SHA-512=[name=outrider,password=secret]',
  ],
}

test(
  'users sign in by PLAIN and SCRAM; a wrong password or none is answered with what to check',
  options,
  async (t) => {
    if (!kafkaOrSkip(t)) return
    const kafka = await startKafka({ security: sasl })
    t.after(() => kafka.stop())
    const as = (mechanism: SaslMechanism, password: string): KafkaAddress => ({
      brokers: kafka.addresses,
      tls: null,
      sasl: { mechanism, username: 'outrider', password },
    })
    for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
      await exchange(as(mechanism, 'secret'), mechanism.toLowerCase())
      await refused(
        as(mechanism, 'wrong-secret'),
        new RegExp(`does not let us in as "outrider" by ${mechanism}.*OUTRIDER_KAFKA_PASSWORD`),
      )
    }
  },
)

test(
  'TLS with a private authority, also with a certificate of our own; an unknown authority is refused',
  options,
  async (t) => {
    if (!kafkaOrSkip(t)) return
    const found = programPath('openssl') !== undefined && programPath('keytool') !== undefined
    if (!requireOrSkip(t, 'openssl and keytool', found, 'one of them is not installed')) return
    const files = certificates(t)
    const kafka = await startKafka({
      security: {
        protocol: 'SSL',
        properties: {
          'listener.ssl.keystore.type': 'PEM',
          'listener.ssl.keystore.location': files.brokerPem,
          'listener.ssl.truststore.type': 'PEM',
          'listener.ssl.truststore.location': files.ca,
          'listener.ssl.client.auth': 'required',
        },
      },
    })
    t.after(() => kafka.stop())
    const read = (path: string): string => readFileSync(path, 'utf8')
    const brokers = kafka.addresses.map((address) => address.replace('127.0.0.1', 'localhost'))
    const cert = read(files.clientCert)
    const key = read(files.clientKey)
    await exchange({ brokers, tls: { ca: read(files.ca), cert, key }, sasl: null }, 'tls')
    await refused(
      { brokers, tls: { ca: null, cert, key }, sasl: null },
      /no secure connection.*OUTRIDER_KAFKA_TLS/,
    )
  },
)

function certificates(t: TestContext): Readonly<Record<string, string>> & {
  readonly ca: string
  readonly brokerPem: string
  readonly clientCert: string
  readonly clientKey: string
} {
  const folder = mkdtempSync(join(tmpdir(), 'outrider-tls-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const sh = (script: string): void => {
    execFileSync('sh', ['-ec', script], { cwd: folder, stdio: 'pipe' })
  }
  sh('openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=tests')
  for (const name of ['broker', 'client']) {
    sh(`openssl req -newkey rsa:2048 -nodes -keyout ${name}.key -out ${name}.csr -subj /CN=localhost
      printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' > ext
      openssl x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out ${name}.pem
      openssl pkcs8 -topk8 -nocrypt -in ${name}.key -out ${name}.pk8
      cat ${name}.pk8 ${name}.pem ca.pem > ${name}-all.pem`)
  }
  return {
    ca: join(folder, 'ca.pem'),
    brokerPem: join(folder, 'broker-all.pem'),
    clientCert: join(folder, 'client.pem'),
    clientKey: join(folder, 'client.pk8'),
  }
}

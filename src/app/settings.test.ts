import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { PlatformError } from '../kernel/errors.ts'
import { ADMIN_TOKEN_LENGTH, loadSettings, MAX_PARTITIONS, type Settings } from './settings.ts'

const directory = mkdtempSync(join(tmpdir(), 'outrider-settings-'))
after(() => rmSync(directory, { recursive: true, force: true }))
const TOKEN = 'a token of thirty-two characters'

interface Given {
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly yaml?: string
  readonly overrides?: Readonly<Record<string, string | undefined>>
}

let folders = 0

function load({ environment = {}, yaml, overrides = {} }: Given): Promise<Settings> {
  const own = join(directory, String(++folders))
  mkdirSync(own)
  if (yaml !== undefined) writeFileSync(join(own, 'outrider.yaml'), yaml)
  return loadSettings({ environment, directory: own, overrides })
}

async function refusal(given: Given): Promise<string> {
  try {
    await load(given)
  } catch (error) {
    assert.ok(error instanceof PlatformError)
    assert.equal(error.code, 'bad-setting')
    return error.message
  }
  return assert.fail('the settings were accepted')
}

describe('settings', () => {
  it('have defaults that need nothing from outside', async () => {
    const { dataDir, ...rest } = await load({})
    assert.equal(dataDir, join(directory, String(folders), '.outrider'))
    assert.deepEqual(rest, {
      port: 8080,
      databaseUrl: null,
      reference: null,
      s3Endpoint: null,
      awsRegion: 'us-east-1',
      adminToken: null,
      publicUrl: null,
      smtpUrl: null,
      mailFrom: 'Outrider <outrider@localhost>',
      traffic: 'simulated',
      trafficKey: null,
      logLevel: 'info',
      partitions: 8,
      topicNames: new Map(),
      vehicleWindows: [{ sizeMs: 900_000, slideMs: 60_000 }],
      roles: new Set(['doors', 'tasks', 'work', 'serve']),
      views: 'memory',
      redisUrl: null,
      dynamoDbEndpoint: null,
      dynamoDbTable: 'outrider-views',
      kafka: null,
    })
  })

  const accepted = <K extends keyof Settings>(
    name: string,
    value: string,
    field: K,
    expected: Settings[K],
  ): Promise<void> =>
    it(`take ${name}=${value}`, async () => {
      const fromEnvironment = await load({ environment: { [`OUTRIDER_${name}`]: value } })
      assert.deepEqual(fromEnvironment[field], expected)
      const fromFile = await load({ yaml: `${name}: ${JSON.stringify(value)}` })
      assert.deepEqual(fromFile[field], expected)
      const fromLine = await load({ overrides: { [name]: value } })
      assert.deepEqual(fromLine[field], expected)
    })
  void accepted('PORT', '0', 'port', 0)
  void accepted('PORT', '65535', 'port', 65_535)
  void accepted('DATA_DIR', '/var/lib/x', 'dataDir', '/var/lib/x')
  void accepted('DATABASE_URL', 'postgres://u:p@h:1/n', 'databaseUrl', 'postgres://u:p@h:1/n')
  void accepted('DATABASE_URL', 'postgresql:///n', 'databaseUrl', 'postgresql:///n')
  void accepted('REFERENCE', '/etc/tables', 'reference', '/etc/tables')
  void accepted('REFERENCE', 's3://bucket/tables', 'reference', 's3://bucket/tables')
  void accepted('S3_ENDPOINT', 'http://s3:9000', 's3Endpoint', 'http://s3:9000')
  void accepted('ADMIN_TOKEN', TOKEN, 'adminToken', TOKEN)
  void accepted('PUBLIC_URL', 'https://cold.example/', 'publicUrl', 'https://cold.example')
  void accepted('LOG_LEVEL', 'debug', 'logLevel', 'debug')
  void accepted('PARTITIONS', '1', 'partitions', 1)
  void accepted('PARTITIONS', String(MAX_PARTITIONS), 'partitions', MAX_PARTITIONS)
  void accepted(
    'TOPIC_NAMES',
    'alerts=alert-data, truck-readings = cold.chain_1',
    'topicNames',
    new Map([
      ['alerts', 'alert-data'],
      ['truck-readings', 'cold.chain_1'],
    ]),
  )

  void accepted('VEHICLE_WINDOWS', '90m/5m, 30s/30s', 'vehicleWindows', [
    { sizeMs: 5_400_000, slideMs: 300_000 },
    { sizeMs: 30_000, slideMs: 30_000 },
  ])

  const refused = (name: string, value: string, why: RegExp): Promise<void> =>
    it(`refuse ${name}=${JSON.stringify(value)} by name, with why`, async () => {
      const message = await refusal({ environment: { [`OUTRIDER_${name}`]: value } })
      assert.match(message, new RegExp(`^OUTRIDER_${name} \\(from the environment\\) `))
      assert.match(message, why)
      const inFile = await refusal({ yaml: `${name}: ${JSON.stringify(value)}` })
      assert.match(inFile, new RegExp(`^OUTRIDER_${name} \\(from outrider.yaml\\) `))
      const onLine = await refusal({ overrides: { [name]: value } })
      assert.match(onLine, new RegExp(`^OUTRIDER_${name} \\(from the command line\\) `))
    })
  void refused('PORT', '65536', /whole number from 0 to 65535; found "65536"/)
  void refused('PORT', '-1', /found "-1"/)
  void refused('PORT', '80.5', /whole number/)
  void refused('PORT', '0x50', /whole number/)
  void refused('PORT', ' ', /whole number/)
  void refused('VEHICLE_WINDOWS', '15m', /such as 15m\/1m,1h\/5m; found "15m"/)
  void refused('VEHICLE_WINDOWS', '15m/0s', /such as 15m/)
  void refused('VEHICLE_WINDOWS', '15m/4m', /slide that does not divide the size in "15m\/4m"/)
  void refused('VEHICLE_WINDOWS', '1m/500ms', /whole seconds/)
  void refused('VEHICLE_WINDOWS', '2d/1d', /a day at most/)
  void refused('VEHICLE_WINDOWS', '2h/1m', /more than 60 slides in "2h\/1m"; choose one of 2m/)
  void refused('VEHICLE_WINDOWS', '1h/5m,60m/300s', /names 1h\/5m twice/)
  void refused('VEHICLE_WINDOWS', '1m/1m,2m/1m,3m/1m,4m/1m,5m/1m', /5 windows; there may be 4/)
  void refused('PARTITIONS', '0', /from 1 to 256/)
  void refused('PARTITIONS', '257', /from 1 to 256/)
  void refused('DATABASE_URL', 'localhost:5432', /postgres:\/\/user@host/)
  void refused('DATABASE_URL', 'mysql://u:secret@h/n', /postgres:\/\/user@host/)
  void refused('REFERENCE', 's3://', /must be a folder or s3:/)
  void refused('S3_ENDPOINT', 'here', /http or https/)
  void refused('AWS_REGION', 'Frankfurt am Main', /region such as/)
  void refused(
    'ADMIN_TOKEN',
    TOKEN.slice(1),
    new RegExp(`${ADMIN_TOKEN_LENGTH} characters or more`),
  )
  void refused('PUBLIC_URL', 'cold.example', /http or https/)
  void refused('LOG_LEVEL', 'INFO', /one of debug, info, warn, error; found "INFO"/)
  void refused('TOPIC_NAMES', 'alerts', /pairs such as/)
  void refused('TOPIC_NAMES', 'alerts=a=b', /pairs such as/)
  void refused('TOPIC_NAMES', 'alerts=a,', /pairs such as/)
  void refused('TOPIC_NAMES', 'alerts=a b', /letters, digits/)
  void refused('TOPIC_NAMES', 'alerts=a,alerts=b', /twice/)
  void refused('TOPIC_NAMES', 'alerts=a,truck-readings=a', /"a" of two topics/)
  void refused('TOPIC_NAMES', 'alerts=truck-readings', /"truck-readings" of two topics/)
  void refused('COLOUR', 'red', /is not a setting; there are PORT, DATA_DIR,/)
  void refused('toString', 'x', /is not a setting/)
  void refused('KAFKA_BROKERS', 'kafka', /must be addresses such as kafka-1:9092/)
  void refused('TRAFFIC', 'bing', /one of simulated, tomtom, here, google, none/)
  void refused('SMTP_URL', 'http://host', /must be an address such as smtp:/)
  void refused('MQTT_URL', 'mqtt://host', /not supported by this version yet/)

  it('want a key where a provider of travel times is named', async () => {
    const environment = { OUTRIDER_TRAFFIC: 'tomtom' }
    assert.match(await refusal({ environment }), /TRAFFIC_KEY holds no key/)
    const whole = await load({ environment: { ...environment, OUTRIDER_TRAFFIC_KEY: 'k' } })
    assert.equal(whole.trafficKey, 'k')
  })

  it('take nothing empty from the command line', async () => {
    assert.match(await refusal({ overrides: { DATA_DIR: '' } }), /must name a folder/)
    assert.match(await refusal({ overrides: { PORT: '' } }), /whole number/)
  })

  it('never print a secret that they refuse', async () => {
    const environment = {
      OUTRIDER_ADMIN_TOKEN: 'hunter2',
      OUTRIDER_DATABASE_URL: 'mysql://u:hunter2@h/n',
    }
    assert.doesNotMatch(await refusal({ environment }), /hunter2/)
  })

  it('name all that is wrong at once', async () => {
    const environment = { OUTRIDER_PORT: 'x', OUTRIDER_NOPE: '1', OUTRIDER_LOG_LEVEL: 'loud' }
    const lines = (await refusal({ environment })).split('\n')
    assert.equal(lines.length, 3)
  })

  it('come from the command line before the environment before the file', async () => {
    const yaml = 'PORT: 1\nPARTITIONS: 3\nLOG_LEVEL: warn'
    const environment = { OUTRIDER_PORT: '2', OUTRIDER_PARTITIONS: '4' }
    const settings = await load({ yaml, environment, overrides: { PORT: '3' } })
    assert.deepEqual([settings.port, settings.partitions, settings.logLevel], [3, 4, 'warn'])
  })

  it('that are wrong in the file do no harm where the environment overrules them', async () => {
    const settings = await load({ yaml: 'PORT: x', environment: { OUTRIDER_PORT: '1' } })
    assert.equal(settings.port, 1)
  })

  it('that are empty are not set', async () => {
    const settings = await load({
      yaml: 'LOG_LEVEL:\nADMIN_TOKEN: ""',
      environment: { OUTRIDER_PORT: '' },
    })
    assert.deepEqual([settings.port, settings.logLevel, settings.adminToken], [8080, 'info', null])
  })

  it('of other programs, and of the tests, are none of our business', async () => {
    const environment = { PORT: '1', OUTRIDER_TEST_REQUIRE: 'all', OUTRIDERS: 'x' }
    assert.equal((await load({ environment })).port, 8080)
  })

  it('in the file may carry the prefix, and hold names as map or list', async () => {
    const expected = new Map([['alerts', 'a']])
    assert.equal((await load({ yaml: 'OUTRIDER_PORT: 9' })).port, 9)
    for (const yaml of ['TOPIC_NAMES: {alerts: a}', 'TOPIC_NAMES: [alerts=a]']) {
      assert.deepEqual((await load({ yaml })).topicNames, expected, yaml)
    }
  })

  it('in the file keep every digit', async () => {
    const digits = '12345678901234567890123456789012'
    assert.equal((await load({ yaml: `ADMIN_TOKEN: ${digits}` })).adminToken, digits)
  })

  it('in an empty file, or one of comments, are none', async () => {
    for (const yaml of ['', '# nothing\n', '---\n']) assert.equal((await load({ yaml })).port, 8080)
  })

  it('take relative folders from where the program runs', async () => {
    const settings = await load({ yaml: 'DATA_DIR: d\nREFERENCE: r' })
    const own = join(directory, String(folders))
    assert.deepEqual([settings.dataDir, settings.reference], [join(own, 'd'), join(own, 'r')])
  })

  const badFile = (yaml: string, why: RegExp): Promise<void> =>
    it(`refuse the file ${JSON.stringify(yaml)}`, async () => {
      assert.match(await refusal({ yaml }), why)
    })
  void badFile('PORT: [', /outrider\.yaml is not YAML/)
  void badFile('PORT: 1\nPORT: 2', /outrider\.yaml is not YAML/)
  void badFile('- PORT', /must hold names and values/)
  void badFile('PORT', /must hold names and values/)
  void badFile('PORT: {a: 1}', /OUTRIDER_PORT \(from outrider.yaml\) must be a whole number/)

  it('refuse a file that cannot be read', async () => {
    const own = join(directory, 'folder-in-its-place')
    mkdirSync(join(own, 'outrider.yaml'), { recursive: true })
    await assert.rejects(loadSettings({ environment: {}, directory: own }), /Cannot read .*yaml/)
  })
})

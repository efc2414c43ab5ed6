import { test } from 'node:test'
import { kafkaMissing } from '../../../test/servers/kafka-jars.ts'
import { kafkaOrSkip, sharedKafka } from '../../../test/servers/shared-kafka.ts'
import { logContract } from '../../ports/log.contract.ts'
import { systemClock } from '../clock/system-clock.ts'
import { openKafkaLog } from './kafka-log.ts'

const clock = systemClock()

if (kafkaMissing() !== undefined)
  test('Kafka keeps what every log promises', (t) => void kafkaOrSkip(t))
else {
  logContract(
    'Kafka log',
    async () => {
      const { addresses } = await sharedKafka()
      return openKafkaLog({ address: { brokers: addresses, tls: null, sasl: null }, clock })
    },
    { retention: 'by-the-server' },
  )
}

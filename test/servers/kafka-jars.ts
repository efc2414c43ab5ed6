// The jars of Apache Kafka.

import { type JarSet, jarFolder, jarsMissing } from './maven-jars.ts'

export const KAFKA_VERSION = '4.4.0'
const LOGGER_VERSION = '2.25.5'
const JARS: JarSet = {
  name: `kafka-${KAFKA_VERSION}`,
  artifacts: [
    `org.apache.kafka:kafka_2.13:${KAFKA_VERSION}`,
    `org.apache.logging.log4j:log4j-slf4j-impl:${LOGGER_VERSION}`,
  ],
}

/** Why Kafka can't be had on this machine; undefined where it can. */
export function kafkaMissing(): string | undefined {
  return jarsMissing(JARS)
}

export function kafkaJars(): Promise<string> {
  return jarFolder(JARS)
}

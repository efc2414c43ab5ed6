import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { MessageChannel, Worker } from 'node:worker_threads'
import { alertOf, entryOf, viewsContract } from '../../ports/views.contract.ts'
import type { FeedMessage } from '../../ports/views.ts'
import { createMemoryViews } from './memory-views.ts'
import {
  createViewPublisherPort,
  MAX_MESSAGES_UNDER_WAY,
  receiveViewMessages,
} from './view-publisher-port.ts'

const fail = (error: unknown): void => {
  throw error
}

function connected() {
  const { port1, port2 } = new MessageChannel()
  const views = createMemoryViews('feed')
  const stop = receiveViewMessages(port1, views, fail)
  const publisher = createViewPublisherPort(port2)
  const close = async (): Promise<void> => {
    stop()
    publisher.close()
    port1.close()
    port2.close()
    await views.close()
  }
  return { views, publisher, close, port1, port2 }
}

viewsContract('memory, published through a message port', async () => {
  const { views, publisher, close } = connected()
  return {
    views: { ...views, put: publisher.put, publishAlerts: publisher.publishAlerts },
    settle: () => publisher.flush(),
    close,
  }
})

describe('the publisher of a worker thread', () => {
  it('publishes from a real worker into the views of the main thread', async () => {
    const views = createMemoryViews('feed')
    const here = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href)
    const worker = new Worker(
      `import { workerData, parentPort } from 'node:worker_threads'
       const { createViewPublisherPort } = await import(${here('./view-publisher-port.ts')})
       const entryOf = (key, offset) => ({ view: 'things', key, tenantId: 'default',
         json: '{}', version: { partition: 0, offset, clockMs: 0 } })
       const publisher = createViewPublisherPort(workerData.port)
       for (let n = 1; n <= 1000; n++) await publisher.put([entryOf('k' + (n % 10), n)])
       await publisher.publishAlerts([workerData.alert])
       await publisher.flush()
       parentPort.postMessage(publisher.dropped)
       publisher.close()
       workerData.port.close()`,
      { eval: true, ...ports(views) },
    )
    // A worker that ends at once tells both in one go.
    const exited = once(worker, 'exit')
    const [dropped] = await once(worker, 'message')
    assert.equal(dropped, 0)
    assert.equal((await views.list('things')).length, 10)
    assert.equal((await views.get('things', 'k9', 'default'))?.version.offset, 999)
    assert.equal((await views.openAlerts()).length, 1)
    const [code] = await exited
    assert.equal(code, 0)
  })

  it('merges entities while the main thread is busy, and sends alerts at once', async () => {
    const { port1, port2 } = new MessageChannel()
    const publisher = createViewPublisherPort(port2)
    for (let n = 1; n <= 50; n++) await publisher.put([entryOf('a', n)])
    await publisher.publishAlerts([alertOf('1')])
    const heard: FeedMessage[] = []
    const views = createMemoryViews('feed')
    views.subscribe((messages) => heard.push(...messages))
    const stop = receiveViewMessages(port1, views, fail)
    await publisher.flush()
    assert.equal((await views.get('things', 'a', 'default'))?.version.offset, 50)
    const entities = heard.filter((message) => message.type === 'entity').length
    assert.equal(entities, MAX_MESSAGES_UNDER_WAY + 1)
    assert.equal(heard[MAX_MESSAGES_UNDER_WAY]?.type, 'alert')
    stop()
    publisher.close()
    port1.close()
    port2.close()
  })

  it('refuses a put after it was closed', async () => {
    const { publisher, close } = connected()
    await close()
    await assert.rejects(publisher.put([entryOf('a', 1)]), { code: 'views-unavailable' })
  })
})

function ports(views: ReturnType<typeof createMemoryViews>) {
  const { port1, port2 } = new MessageChannel()
  receiveViewMessages(port1, views, fail)
  return { workerData: { port: port2, alert: alertOf('1') }, transferList: [port2] }
}

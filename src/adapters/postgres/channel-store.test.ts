import { suitePostgres } from '../../../test/postgres-server.ts'
import { describeChannelStore } from '../../ports/channel-store.contract.ts'
import { createChannelStore } from './channel-store.ts'

describeChannelStore('PostgreSQL', async () => {
  const { database } = await suitePostgres()
  return createChannelStore(database)
})

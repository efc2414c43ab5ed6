import { viewsContract } from '../../ports/views.contract.ts'
import { createMemoryViews } from './memory-views.ts'

viewsContract('memory', async () => {
  const views = createMemoryViews('feed')
  return { views, settle: async () => {}, close: () => views.close() }
})

// All templates of the program, by name, and as the dashboard shows them.

import type { TemplateExample } from '../api/options.ts'
import { domains } from '../domains/registry.ts'
import type { MessageTemplate } from '../ports/message.ts'
import { excursionTemplates } from '../workflows/excursion/excursion.ts'
import { lateArrivalTemplates } from '../workflows/late-arrival/templates.ts'
import { fillTemplate } from '../workflows/messages/fill-template.ts'
import {
  ALERTS_TEMPLATE,
  CHANNEL_TEST_TEMPLATE,
  GATHERED_TEMPLATE,
} from '../workflows/messages/templates.ts'

export const messageTemplates: ReadonlyMap<string, MessageTemplate> = new Map(
  [
    ALERTS_TEMPLATE,
    GATHERED_TEMPLATE,
    CHANNEL_TEST_TEMPLATE,
    ...Object.values(lateArrivalTemplates),
    ...Object.values(excursionTemplates),
    ...domains.flatMap(({ templates }) => templates ?? []),
  ].map((template) => [template.name, template]),
)

export function templateExamples(): readonly TemplateExample[] {
  return [...messageTemplates.values()].map((each) => {
    const { name, purpose, example, ...template } = each
    return { name, purpose, example, template, preview: fillTemplate(each, example, 'UTC') }
  })
}

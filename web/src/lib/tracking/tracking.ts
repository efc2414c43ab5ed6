// What the page behind a tracking link says, in words for people who are not logisticians.

export interface TrackedParcel {
  readonly shipmentId: string
  readonly status: string
  readonly outcome: string | null
  readonly promisedAt: string | null
  readonly expectedAt: string | null
  readonly deliveredAt: string | null
  readonly carrier: string | null
  readonly steps: readonly {
    readonly type: string
    readonly at: string
    readonly location: string | null
  }[]
  readonly linkExpiresAt: string
}

const STATUS: Readonly<Record<string, string>> = {
  Pending: 'Not yet on its way',
  InfoReceived: 'Announced',
  InTransit: 'On its way',
  OutForDelivery: 'Out for delivery',
  AttemptFail: 'Could not be delivered yet',
  AvailableForPickup: 'Ready to be picked up',
  Delivered: 'Delivered',
  Exception: 'Held up',
  Expired: 'Not heard of for long',
}

const OUTCOME: Readonly<Record<string, string>> = {
  returned: 'Going back to the sender',
  canceled: 'Canceled',
}

const STEP: Readonly<Record<string, string>> = {
  created: 'Announced',
  'picked-up': 'Picked up',
  departed: 'Departed',
  arrived: 'Arrived',
  customs: 'At customs',
  'out-for-delivery': 'Out for delivery',
  'attempt-failed': 'Could not be delivered',
  'available-for-pickup': 'Ready to be picked up',
  delivered: 'Delivered',
  exception: 'Held up',
  returned: 'Going back to the sender',
  canceled: 'Canceled',
  expired: 'Not heard of for long',
}

export function statusWords({ status, outcome }: TrackedParcel): string {
  return OUTCOME[outcome ?? ''] ?? STATUS[status] ?? status
}

export function stepWords(type: string): string {
  return STEP[type] ?? type
}

const format = new Intl.DateTimeFormat(undefined, {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
})

/** In the zone of whoever reads. */
export function formatInstant(at: string): string {
  return format.format(new Date(at))
}

// The pages there are, and what each needs: the navigation, the keys and the settings page list them from here.

import type { Access } from '$lib/api/types.ts'
import type { IconName } from './Icon.svelte'

export interface Place {
  readonly path: string
  readonly label: string
  /** What is there, where the label alone says little. */
  readonly about: string
  readonly needs: Access
  readonly icon?: IconName
  /** Second key after `g`. */
  readonly key?: string
  /** Pages under other addresses that belong to it. */
  readonly also?: readonly string[]
}

/** In the order of the navigation. One without an icon is reached from another page. */
export const places: readonly Place[] = [
  {
    path: '/',
    label: 'Overview',
    about: 'what needs attention',
    needs: 'read',
    icon: 'overview',
    key: 'o',
  },
  { path: '/alerts', label: 'Alerts', about: 'what fires', needs: 'own', icon: 'alerts', key: 'a' },
  { path: '/alerts/pending', label: 'Pending', about: 'what is about to fire', needs: 'read' },
  { path: '/alerts/silences', label: 'Silences', about: 'what nobody is told of', needs: 'read' },
  {
    path: '/alerts/notifications',
    label: 'Notifications',
    about: 'who was told what',
    needs: 'read',
  },
  {
    path: '/map',
    label: 'Map',
    about: 'where everything is',
    needs: 'read',
    icon: 'map',
    key: 'm',
  },
  {
    path: '/cold-chain',
    label: 'Cold chain',
    about: 'trucks, temperatures, reports',
    needs: 'read',
    icon: 'cold',
    key: 'c',
  },
  {
    path: '/shipments',
    label: 'Shipments',
    about: 'status, promise, timeline, temperature aboard',
    needs: 'own',
    icon: 'shipments',
    key: 's',
  },
  {
    path: '/warehouses',
    label: 'Warehouses',
    about: 'stock, counts, throughput',
    needs: 'own',
    icon: 'warehouse',
    key: 'w',
  },
  {
    path: '/customers',
    label: 'Customers',
    about: 'at which milestones they are written to',
    needs: 'own',
    icon: 'mail',
    key: 'u',
  },
  {
    path: '/regions',
    label: 'Regions',
    about: 'figures, latency and lag of each',
    needs: 'read',
    icon: 'regions',
    key: 'n',
  },
  {
    path: '/trips',
    label: 'Trips',
    about: 'number, revenue, distance, status, payment',
    needs: 'read',
    icon: 'trips',
    key: 't',
  },
  {
    path: '/arrivals',
    label: 'Arrivals',
    about: 'who will be there when, who is late',
    needs: 'read',
    icon: 'arrivals',
    key: 'e',
  },
  {
    path: '/fleet',
    label: 'Fleet',
    about: 'fuel, distance, driving',
    needs: 'read',
    icon: 'chart',
    key: 'f',
  },
  {
    path: '/vehicles',
    label: 'Vehicles',
    about: 'speed, gears, windows by model',
    needs: 'read',
    icon: 'car',
  },
  {
    path: '/workflows',
    label: 'Workflows',
    about: 'runs, messages, templates',
    needs: 'read',
    icon: 'workflows',
    also: ['/messages'],
  },
  {
    path: '/rules',
    label: 'Rules',
    about: 'in force, editor, replay',
    needs: 'read',
    icon: 'rules',
    key: 'r',
  },
  {
    path: '/data',
    label: 'Data',
    about: 'topics, lag, dead letters',
    needs: 'read',
    icon: 'data',
    key: 'd',
  },
  {
    path: '/tokens',
    label: 'Tokens',
    about: 'who may come in',
    needs: 'administer',
    icon: 'key',
    key: 'k',
  },
]

/** Tabs of a phone, the first four that one may use. */
export const tabPaths: readonly string[] = [
  '/alerts',
  '/map',
  '/cold-chain',
  '/shipments',
  '/warehouses',
  '/customers',
]

export function isWithin(path: string, { path: of, also = [] }: Place): boolean {
  if (of === '/') return path === '/'
  return [of, ...also].some((each) => path === each || path.startsWith(`${each}/`))
}

/** The place that an address belongs to, the narrowest of several. */
export function placeOf(path: string): Place | undefined {
  return places
    .filter((each) => isWithin(path, each))
    .toSorted((a, b) => b.path.length - a.path.length)[0]
}

// Which way points each corridor leads through, and what is carried along it.

import { type Cargo, cargoes } from './cargo.ts'
import type { WayPoint } from './places.ts'

export interface Route {
  readonly name: string
  /** Share of the fleet that works here, relative to the others. */
  readonly weight: number
  readonly cargoes: readonly [Cargo, ...Cargo[]]
  readonly through: readonly WayPoint[]
}

const naivashaToNairobi = ['naivashaDepot', 'naivasha', 'longonot', 'maiMahiu'] as const
const escarpmentToNairobi = ['maiMahiu', 'escarpment', 'rironi', 'limuru', 'kikuyu'] as const
const acrossNairobi = ['kangemi', 'nairobi', 'nairobiSouth', 'embakasi'] as const
const nairobiToMombasa = [
  'jkia',
  'mlolongo',
  'athiRiver',
  'lukenya',
  'kyumvi',
  'konza',
  'salama',
  'sultanHamud',
  'emali',
  'simba',
  'kiboko',
  'makindu',
  'kibwezi',
  'masongaleni',
  'mtitoAndei',
  'kenani',
  'tsavo',
  'manyani',
  'ndii',
  'voi',
  'maungu',
  'buchuma',
  'mackinnon',
  'taru',
  'samburu',
  'mariakani',
  'mariakaniScale',
  'mazeras',
  'miritini',
  'changamwe',
  'kilindini',
] as const
const nakuruToNairobi = [
  'nakuru',
  'mbaruk',
  'gilgilScale',
  'gilgil',
  'naivasha',
  'longonot',
  ...escarpmentToNairobi,
  ...acrossNairobi,
] as const
const thikaToAirport = ['thika', 'juja', 'ruiru', 'ruiruEast', 'easternBypass', 'jkia'] as const

const { flowers, avocados, dairy, fish, meat, iceCream, vaccines, insulin, medicines } = cargoes
const { polioVaccine, pentavalentVaccine } = cargoes

export const routes: readonly [Route, ...Route[]] = [
  {
    name: 'Naivasha – Nairobi – Mombasa',
    weight: 34,
    cargoes: [flowers, avocados, flowers, vaccines, meat, medicines, fish],
    through: [
      ...naivashaToNairobi,
      ...escarpmentToNairobi.slice(1),
      ...acrossNairobi,
      ...nairobiToMombasa,
    ],
  },
  {
    name: 'Nairobi – Nakuru – Eldoret – Malaba',
    weight: 16,
    cargoes: [vaccines, insulin, iceCream, dairy, medicines, pentavalentVaccine],
    through: [
      ...[...nakuruToNairobi].reverse(),
      'salgaa',
      'mauSummit',
      'timboroa',
      'burntForest',
      'cheptiret',
      'eldoret',
      'turbo',
      'lumakanda',
      'webuye',
      'webuyeScale',
      'bungoma',
      'kimaeti',
      'malaba',
    ],
  },
  {
    name: 'Kisumu – Kericho – Nakuru',
    weight: 9,
    cargoes: [fish, dairy, vaccines, polioVaccine],
    through: [
      'kisumu',
      'ahero',
      'awasi',
      'kapsoit',
      'kericho',
      'kedowa',
      'londiani',
      'mauSummit',
      'salgaa',
      'nakuru',
    ],
  },
  {
    name: 'Timau – Nanyuki – Nairobi Airport',
    weight: 13,
    cargoes: [flowers, flowers, avocados, dairy],
    through: [
      'timau',
      'nanyuki',
      'naroMoru',
      'kiganjo',
      'karatina',
      'sagana',
      'makuyu',
      'kenol',
      ...thikaToAirport,
    ],
  },
  {
    name: 'Kericho – Nakuru – Nairobi',
    weight: 7,
    cargoes: [dairy, dairy, meat],
    through: ['kericho', 'kedowa', 'londiani', 'mauSummit', 'salgaa', ...nakuruToNairobi],
  },
  {
    name: 'Kisii – Narok – Nairobi',
    weight: 7,
    cargoes: [dairy, avocados, vaccines],
    through: [
      'kisii',
      'keroka',
      'sotik',
      'kaplong',
      'bomet',
      'mulot',
      'ololulunga',
      'narok',
      'ntulele',
      'suswa',
      ...escarpmentToNairobi,
      ...acrossNairobi,
    ],
  },
  {
    name: 'Nairobi – Embu – Meru',
    weight: 5,
    cargoes: [vaccines, insulin, iceCream, medicines],
    through: [...[...thikaToAirport].reverse(), 'kenol', 'makuyu', 'mwea', 'embu', 'chuka', 'meru'],
  },
  {
    name: 'Mombasa – Kilifi – Malindi',
    weight: 5,
    cargoes: [fish, dairy, vaccines, iceCream],
    through: ['kilindini', 'mombasa', 'nyali', 'mtwapa', 'kilifi', 'gede', 'malindi'],
  },
  {
    name: 'Eldoret – Kitale',
    weight: 2,
    cargoes: [vaccines, pentavalentVaccine, dairy],
    through: ['eldoret', 'turbo', 'moisBridge', 'kitale'],
  },
  {
    name: 'Nairobi – Mwingi – Garissa',
    weight: 3,
    cargoes: [vaccines, polioVaccine, medicines],
    through: [
      'embakasi',
      'easternBypass',
      'ruiru',
      'thika',
      'matuu',
      'mwingi',
      'ukasi',
      'hola',
      'garissa',
    ],
  },
  {
    name: 'Nairobi – Kajiado – Namanga',
    weight: 3,
    cargoes: [meat, dairy, medicines],
    through: ['embakasi', 'mlolongo', 'kitengela', 'isinya', 'kajiado', 'bissil', 'namanga'],
  },
]

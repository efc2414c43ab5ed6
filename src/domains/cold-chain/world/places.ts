// The way points of Kenya's trunk roads. Positions are approximate (about 2 km), heights about 50 m.

export type PlaceKind =
  | 'city'
  | 'town'
  | 'depot'
  | 'port'
  | 'border'
  | 'airport'
  | 'weighbridge'
  /** A bend or a summit that shapes the road; nothing is there. */
  | 'road'

export interface Place {
  readonly name: string
  readonly lat: number
  readonly lon: number
  readonly altitudeM: number
  readonly kind: PlaceKind
}

const place = (
  name: string,
  lat: number,
  lon: number,
  altitudeM: number,
  kind: PlaceKind = 'town',
): Place => ({ name, lat, lon, altitudeM, kind })

const road = (lat: number, lon: number, altitudeM: number): Place =>
  place('', lat, lon, altitudeM, 'road')

export const wayPoints = {
  // Rift Valley floor to Nairobi, by the lower road that lorries must take.
  naivashaDepot: place('Naivasha Cool Store', -0.776, 36.404, 1905, 'depot'),
  naivasha: place('Naivasha', -0.7167, 36.431, 1890),
  longonot: place('Longonot', -0.876, 36.497, 2010),
  maiMahiu: place('Mai Mahiu', -0.985, 36.587, 1720),
  escarpment: road(-1.032, 36.607, 2020),
  rironi: road(-1.112, 36.6, 2260),
  limuru: place('Limuru', -1.1136, 36.642, 2220),
  kikuyu: place('Kikuyu', -1.246, 36.663, 2020),
  kangemi: road(-1.264, 36.745, 1800),
  nairobi: place('Nairobi', -1.2864, 36.8172, 1680, 'city'),
  nairobiSouth: road(-1.316, 36.852, 1640),
  embakasi: place('Embakasi Cold Hub', -1.327, 36.893, 1630, 'depot'),
  jkia: place('Nairobi Airport Cargo', -1.331, 36.925, 1620, 'airport'),
  // Nairobi to the sea.
  mlolongo: place('Mlolongo Weighbridge', -1.396, 36.944, 1590, 'weighbridge'),
  athiRiver: place('Athi River', -1.456, 36.979, 1530),
  lukenya: road(-1.494, 37.058, 1620),
  kyumvi: place('Kyumvi', -1.553, 37.115, 1610),
  konza: place('Konza Junction', -1.705, 37.19, 1680),
  salama: place('Salama', -1.862, 37.263, 1480),
  sultanHamud: place('Sultan Hamud', -2.017, 37.37, 1230),
  emali: place('Emali', -2.082, 37.468, 1130),
  simba: road(-2.165, 37.585, 1080),
  kiboko: road(-2.208, 37.716, 960),
  makindu: place('Makindu', -2.279, 37.824, 990),
  kibwezi: place('Kibwezi', -2.411, 37.967, 920),
  masongaleni: road(-2.535, 38.075, 850),
  mtitoAndei: place('Mtito Andei', -2.689, 38.168, 750),
  kenani: road(-2.846, 38.33, 620),
  tsavo: place('Tsavo', -2.994, 38.462, 470),
  manyani: road(-3.087, 38.503, 520),
  ndii: road(-3.24, 38.525, 600),
  voi: place('Voi', -3.396, 38.556, 580),
  maungu: place('Maungu', -3.557, 38.748, 530),
  buchuma: road(-3.648, 38.91, 430),
  mackinnon: place('Mackinnon Road', -3.733, 39.043, 370),
  taru: road(-3.752, 39.152, 330),
  samburu: place('Samburu', -3.782, 39.283, 280),
  mariakani: place('Mariakani', -3.862, 39.474, 200),
  mariakaniScale: place('Mariakani Weighbridge', -3.884, 39.494, 190, 'weighbridge'),
  mazeras: place('Mazeras', -3.962, 39.548, 160),
  miritini: road(-4.006, 39.586, 60),
  changamwe: road(-4.026, 39.631, 45),
  kilindini: place('Mombasa Port', -4.046, 39.645, 12, 'port'),
  mombasa: place('Mombasa', -4.0547, 39.6636, 20, 'city'),
  nyali: road(-4.03, 39.692, 20),
  mtwapa: place('Mtwapa', -3.945, 39.744, 20),
  kilifi: place('Kilifi', -3.63, 39.85, 20),
  gede: place('Gede', -3.309, 40.015, 20),
  malindi: place('Malindi', -3.2175, 40.1191, 15),
  // Nairobi to the west.
  gilgil: place('Gilgil', -0.4986, 36.32, 2010),
  gilgilScale: place('Gilgil Weighbridge', -0.455, 36.272, 1960, 'weighbridge'),
  mbaruk: road(-0.36, 36.19, 1860),
  nakuru: place('Nakuru', -0.2833, 36.0667, 1850, 'city'),
  salgaa: place('Salgaa', -0.203, 35.853, 2020),
  mauSummit: place('Mau Summit', -0.159, 35.687, 2470),
  timboroa: place('Timboroa', 0.07, 35.538, 2790),
  burntForest: place('Burnt Forest', 0.213, 35.43, 2370),
  cheptiret: road(0.372, 35.36, 2250),
  eldoret: place('Eldoret', 0.5143, 35.2698, 2090, 'city'),
  turbo: place('Turbo', 0.631, 35.048, 1840),
  lumakanda: road(0.622, 34.955, 1700),
  webuye: place('Webuye', 0.608, 34.77, 1550),
  webuyeScale: place('Webuye Weighbridge', 0.596, 34.727, 1500, 'weighbridge'),
  bungoma: place('Bungoma', 0.5695, 34.5584, 1400),
  kimaeti: road(0.603, 34.41, 1280),
  malaba: place('Malaba Border', 0.637, 34.275, 1180, 'border'),
  moisBridge: place("Moi's Bridge", 0.878, 35.122, 1870),
  kitale: place('Kitale', 1.0157, 35.0062, 1890),
  // Tea and dairy country down to the lake.
  londiani: road(-0.205, 35.6, 2400),
  kedowa: road(-0.243, 35.545, 2330),
  kericho: place('Kericho', -0.3689, 35.2863, 2010),
  kapsoit: road(-0.3, 35.21, 1850),
  awasi: place('Awasi', -0.163, 35.083, 1190),
  ahero: place('Ahero', -0.173, 34.919, 1150),
  kisumu: place('Kisumu', -0.0917, 34.768, 1140, 'city'),
  kisii: place('Kisii', -0.6817, 34.7667, 1700),
  keroka: place('Keroka', -0.776, 34.947, 2000),
  sotik: place('Sotik', -0.69, 35.117, 1800),
  kaplong: road(-0.672, 35.155, 1850),
  bomet: place('Bomet', -0.7813, 35.3416, 1950),
  mulot: place('Mulot', -0.936, 35.43, 1850),
  ololulunga: road(-1.005, 35.665, 1980),
  narok: place('Narok', -1.083, 35.871, 1850),
  ntulele: road(-1.028, 36.105, 1900),
  suswa: place('Suswa', -1.05, 36.33, 1640),
  // Around Mount Kenya.
  timau: place('Timau Flower Farms', 0.083, 37.242, 2430, 'depot'),
  nanyuki: place('Nanyuki', 0.0067, 37.0722, 1950),
  naroMoru: place('Naro Moru', -0.163, 37.018, 2000),
  kiganjo: road(-0.393, 37.003, 1760),
  karatina: place('Karatina', -0.483, 37.132, 1760),
  sagana: place('Sagana', -0.667, 37.208, 1200),
  makuyu: place('Makuyu', -0.902, 37.182, 1450),
  kenol: road(-0.957, 37.128, 1510),
  thika: place('Thika', -1.0333, 37.0693, 1520),
  juja: road(-1.102, 37.014, 1520),
  ruiru: place('Ruiru', -1.149, 36.957, 1560),
  ruiruEast: road(-1.205, 36.984, 1540),
  easternBypass: road(-1.283, 36.955, 1570),
  meru: place('Meru', 0.047, 37.6498, 1560),
  chuka: place('Chuka', -0.333, 37.648, 1470),
  embu: place('Embu', -0.5333, 37.45, 1350),
  mwea: place('Mwea', -0.69, 37.355, 1180),
  // To the dry north-east and the southern border.
  matuu: place('Matuu', -1.148, 37.54, 1270),
  mwingi: place('Mwingi', -0.9346, 38.06, 1060),
  ukasi: road(-0.819, 38.545, 680),
  hola: road(-0.6, 39.12, 320),
  garissa: place('Garissa', -0.4536, 39.6461, 150),
  kitengela: place('Kitengela', -1.476, 36.962, 1560),
  isinya: road(-1.672, 36.848, 1680),
  kajiado: place('Kajiado', -1.852, 36.777, 1730),
  bissil: place('Bissil', -2.128, 36.793, 1500),
  namanga: place('Namanga Border', -2.545, 36.79, 1300, 'border'),
} as const satisfies Readonly<Record<string, Place>>

export type WayPoint = keyof typeof wayPoints

/** Towns, depots, ports, borders, airports and weighbridges that a map may name. */
export const places: readonly Place[] = Object.values<Place>(wayPoints).filter(
  (candidate) => candidate.kind !== 'road',
)

// A network of roads as the reference table `roads` holds it: made by `outrider roads build` from an extract.

import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'

export const ROAD_TABLE = 'roads'
/** Coordinates are whole numbers of a millionth of a degree: 0.11 m. */
export const COORDINATE_SCALE = 1_000_000

/** Who may use a stretch, as bits. */
export const CAR = 1
export const BICYCLE = 2
export const FOOT = 4

const segment = Type.Object({
  /** Names the stretch in its first direction; the other one has an `r` at the end. */
  id: Type.String({ minLength: 1, maxLength: 60 }),
  /** Places in `nodes`. */
  from: Type.Integer({ minimum: 0 }),
  to: Type.Integer({ minimum: 0 }),
  lengthM: Type.Number({ minimum: 0 }),
  freeFlowKmh: Type.Number({ exclusiveMinimum: 0, maximum: 200 }),
  /** Bits of those who may use it, along and against its direction. */
  along: Type.Integer({ minimum: 0, maximum: 7 }),
  against: Type.Integer({ minimum: 0, maximum: 7 }),
  /** Longitude and latitude in turn, between the ends. */
  shape: Type.Array(Type.Integer()),
})

const roadSchema = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 200 }),
  /** Tells networks apart: routes along another one are searched again. */
  version: Type.String({ minLength: 1, maxLength: 100 }),
  attribution: Type.String({ maxLength: 500 }),
  /** Longitude and latitude in turn. */
  nodes: Type.Array(Type.Integer()),
  segments: Type.Array(segment),
})

export type RoadDocument = Static<typeof roadSchema>
export type RoadSegment = Static<typeof segment>

const check = TypeCompiler.Compile(roadSchema)

/** Says what is wrong with a document, or nothing. */
export function checkRoads(content: unknown): string | undefined {
  if (!check.Check(content)) {
    const first = check.Errors(content).First()
    return `${first?.path ?? ''}: ${first?.message ?? 'does not fit'}`
  }
  const nodes = content.nodes.length / 2
  const wrong = content.segments.find(({ from, to }) => from >= nodes || to >= nodes)
  return wrong === undefined ? undefined : `segment ${wrong.id} ends at a node that is not there`
}

/** The network that ways are found in, without its stretches: a way takes hundreds of them. */
export function roadsRow(
  content: unknown,
): readonly { readonly table: string; readonly row: Readonly<Record<string, unknown>> }[] {
  if (!isRoadDocument(content)) return []
  const { name, version, attribution, segments } = content
  return [{ table: ROAD_TABLE, row: { name, version, attribution, segments: segments.length } }]
}

export function isRoadDocument(content: unknown): content is RoadDocument {
  return check.Check(content)
}

// Roads as an extract of a map has them: lines of numbered points, with tags.

export interface RoadPoint {
  /** Lines meet where they share it. */
  readonly id: string
  readonly lat: number
  readonly lon: number
}

export interface RoadLine {
  readonly id: string
  readonly tags: Readonly<Record<string, unknown>>
  readonly points: readonly RoadPoint[]
}

export interface RoadExtract {
  readonly lines: readonly RoadLine[]
  /** Lines whose points are not all in the extract are cut there. */
  readonly cutLines: number
}

// Gathers the ways of an OpenStreetMap extract that are roads, with the places of their nodes.

import type { RoadExtract, RoadLine, RoadPoint } from '../../ports/road-source.ts'

interface Way {
  readonly id: string
  readonly refs: readonly string[]
  readonly tags: Readonly<Record<string, unknown>>
}

/** Nodes come before ways in an extract, so all are held until the end. */
export class OsmLines {
  readonly #nodes = new Map<string, RoadPoint>()
  readonly #ways: Way[] = []

  node(id: string, lat: number, lon: number): void {
    if (Number.isFinite(lat) && Number.isFinite(lon)) this.#nodes.set(id, { id, lat, lon })
  }

  way(id: string, refs: readonly string[], tags: Readonly<Record<string, unknown>>): void {
    if (tags.highway !== undefined) this.#ways.push({ id, refs, tags })
  }

  /** A way whose nodes are not all in the extract ends where they do. */
  finish(): RoadExtract {
    const lines: RoadLine[] = []
    let cutLines = 0
    for (const { id, refs, tags } of this.#ways) {
      const points = refs.map((ref) => this.#nodes.get(ref))
      if (points.includes(undefined)) cutLines++
      unbroken(points).forEach((part, at) => {
        lines.push({ id: at === 0 ? id : `${id}/${at}`, tags, points: part })
      })
    }
    return { lines, cutLines }
  }
}

function unbroken(points: readonly (RoadPoint | undefined)[]): readonly (readonly RoadPoint[])[] {
  const parts: RoadPoint[][] = [[]]
  for (const point of points) {
    if (point === undefined) parts.push([])
    else parts.at(-1)?.push(point)
  }
  return parts.filter((part) => part.length >= 2)
}

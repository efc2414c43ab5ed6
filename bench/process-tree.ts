// What the system says of the program and all processes below it. Linux only.

import { readdirSync, readFileSync } from 'node:fs'

const KIB = 1024
/** Clock ticks a second in /proc; the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

export interface TreeUsage {
  /** Memory of all processes, what several share counted once (proportional set size). */
  readonly pssBytes: number
  readonly cpuSeconds: number
  /** Of the threads that run tasks. */
  readonly taskCpuSeconds: number
  /** Of the database's processes. */
  readonly databaseCpuSeconds: number
}

export function usageOfTree(rootPid: number): TreeUsage {
  let pssBytes = 0
  let cpuSeconds = 0
  let databaseCpuSeconds = 0
  for (const pid of treeOf(rootPid)) {
    try {
      const seconds = cpuSecondsOf(readFileSync(`/proc/${pid}/stat`, 'utf8'))
      cpuSeconds += seconds
      if (pid !== rootPid) databaseCpuSeconds += seconds
      pssBytes += pssOf(pid)
    } catch {
      // It ended in between.
    }
  }
  return { pssBytes, cpuSeconds, databaseCpuSeconds, taskCpuSeconds: taskThreadSeconds(rootPid) }
}

function treeOf(rootPid: number): readonly number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid)) continue
    try {
      parents.set(pid, Number(fieldsOf(readFileSync(`/proc/${pid}/stat`, 'utf8'))[1]))
    } catch {
      // It ended in between.
    }
  }
  const isBelow = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined && at > 1; at = parents.get(at)) {
      if (at === rootPid) return true
    }
    return false
  }
  return [...parents.keys()].filter(isBelow)
}

/** Fields from the state on; the command before may contain spaces. */
function fieldsOf(stat: string): readonly string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** Of itself and of the children it has waited for, such as a connection's process that ended. */
function cpuSecondsOf(stat: string): number {
  const fields = fieldsOf(stat)
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0)
  return ticks / TICKS_PER_SECOND
}

function pssOf(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * KIB
}

function taskThreadSeconds(pid: number): number {
  let seconds = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const folder = `/proc/${pid}/task/${thread}`
      if (!readFileSync(`${folder}/comm`, 'utf8').startsWith('tasks-')) continue
      const fields = fieldsOf(readFileSync(`${folder}/stat`, 'utf8'))
      seconds += (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
    } catch {
      // It ended in between.
    }
  }
  return seconds
}

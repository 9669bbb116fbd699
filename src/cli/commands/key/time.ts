import { neutralise } from '../../../core/text.js'
import { misused } from '../../failure.js'

const SECONDS = { d: 86_400, h: 3600 } as const

/** `90d`, `12h` in **seconds**; `undefined` for anything else. */
export function secondsIn(text: string): number | undefined {
  const [, count, unit] = /^([1-9]\d{0,4})([dh])$/.exec(text) ?? []
  return count === undefined ? undefined : Number(count) * SECONDS[unit as 'd' | 'h']
}

export function impossibleTime(option: string, says: string, text: string): Error {
  return misused(`--${option} must be ${says}, got "${neutralise(text, 40)}".`)
}

/** A time in **seconds** since the epoch, for people. */
export function shownTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}

import { valueText } from '../render/plain.js'
import { shown } from '../render/words.js'
import type { LockedValue } from './format.js'

/** Items of one list that are not in another; a value that is no list counts as its only item. */
export function minus(from: LockedValue, taken: LockedValue): readonly unknown[] {
  const without = new Set(itemsOf(taken))
  return itemsOf(from).filter((item) => !without.has(item))
}

function itemsOf(value: LockedValue): readonly unknown[] {
  return Array.isArray(value) ? value : [value]
}

/** `went from 10 to 100`, `lost a and gained b` */
export function changeText(was: LockedValue | undefined, is: LockedValue | undefined): string {
  if (was === undefined) return `is new: ${textOf(is)}`
  if (is === undefined) return `is gone: it was ${textOf(was)}`
  if (!Array.isArray(was) || !Array.isArray(is)) return `went from ${textOf(was)} to ${textOf(is)}`
  const lost = minus(was, is)
  const gained = minus(is, was)
  const parts = [
    ...(lost.length === 0 ? [] : [`lost ${shown(lost.join(', '), 200)}`]),
    ...(gained.length === 0 ? [] : [`gained ${shown(gained.join(', '), 200)}`]),
  ]
  return parts.length === 0 ? 'stands in another order' : parts.join(' and ')
}

function textOf(value: LockedValue | undefined): string {
  return shown(valueText(value ?? null), 200)
}

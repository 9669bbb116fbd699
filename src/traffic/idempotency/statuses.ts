/**
 * Whether an answer of this status leaves the key free for another try: who the caller is, what it may do and how much
 * of it may be different then, and what failed may work.
 */
export function frees(status: number): boolean {
  return status === 401 || status === 403 || status === 429 || status >= 500
}

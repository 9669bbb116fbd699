import type { AuditLogger } from '../../src/audit/audit-log.js'

export interface KeptRecord {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look wherever they like
  readonly record: any
}

/** A logger that keeps what it is given. */
export function keepingLogger(): AuditLogger & { readonly kept: KeptRecord[]; reasons(): string[] } {
  const kept: KeptRecord[] = []
  const keep =
    (level: KeptRecord['level']) =>
    (record: object, message: string): void => {
      kept.push({ level, message, record })
    }
  return {
    kept,
    info: keep('info'),
    warn: keep('warn'),
    error: keep('error'),
    reasons: () =>
      kept.flatMap(({ record }) =>
        record.event?.reason === undefined ? [] : [record.event.reason as string],
      ),
  }
}

// What protects each route, what is wrong, and what an organisation asks: for scripts and tests of your own. The command
// `express-bulwark` does the same from a terminal.
export {
  checkBaseline,
  defineBaseline,
  isBaseline,
  type Baseline,
  type BaselineOptions,
  type BaselineRules,
  type BaselineTime,
  type RequiredMiddleware,
  type RuleName,
  type Waiver,
} from './posture/baseline.js'
export {
  answerChecklist,
  asvsStatuses,
  checklistFails,
  renderChecklist,
  type AnswerStatus,
  type AsvsAnswer,
  type AsvsStatus,
  type ChecklistAnswer,
  type ChecklistFormat,
  type ChecklistOptions,
  type QuestionId,
  type RateLimitEvidence,
  type RenderChecklistOptions,
} from './posture/checklist.js'
export { diagnose, doctor, type DiagnoseOptions, type DoctorOptions } from './posture/doctor.js'
export { findingsOf } from './posture/findings.js'
export { inspectPosture, type InspectPostureOptions } from './posture/inspect-posture.js'
export { compareLocks, lockOf, type LockChange } from './posture/lock.js'
export type { Finding, Posture, PostureFault, PostureGuard, PostureRow, Proof } from './posture/model.js'
export { renderHtml, type HtmlOptions } from './posture/render/html.js'
export { renderJson, type JsonOptions } from './posture/render/json.js'
export { renderMarkdown, type MarkdownOptions } from './posture/render/markdown.js'
export { renderMatrix, type MatrixOptions } from './posture/render/matrix.js'
export { renderSarif, type SarifOptions } from './posture/render/sarif.js'
export { renderTable, type TableOptions } from './posture/render/table.js'

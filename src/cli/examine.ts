import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { checkBaseline, isBaseline, type Baseline } from '../posture/baseline.js'
import { answerChecklist } from '../posture/checklist.js'
import { diagnose, type DiagnoseOptions } from '../posture/doctor.js'
import { diagnosesOf } from '../posture/doctor/diagnoses.js'
import { toldOnce } from '../posture/doctor/together.js'
import { findingsOf } from '../posture/findings.js'
import { inspectPosture } from '../posture/inspect-posture.js'
import { plainPosture } from '../posture/render/json.js'
import { unloadable } from './failure.js'
import { quoted } from './words.js'
import { readEvidence } from './load-evidence.js'
import { fileOrPackage, importModule, loadApplication, type LoadedApplication } from './load-application.js'
import type { Examination, Request } from './protocol.js'

/** Loads what a request is about and finds out all that its command needs. */
export async function examineApplication(request: Request, cwd: string): Promise<Examination> {
  const { command, baseline: baselineModule } = request
  const rateLimitEvidence = request.evidence === undefined ? [] : readEvidence(cwd, request.evidence)
  const loaded = await loadApplication(cwd, request)
  const { application, file } = loaded
  const baseline = baselineModule === undefined ? undefined : await loadBaseline(cwd, baselineModule)
  const name = request.name ?? packageName(file) ?? basename(file)
  const posture = inspectPosture(application, { root: cwd, name: name.slice(0, 200) })
  return {
    // A fact may be anything; what crosses the pipe is what is printed.
    posture: plainPosture(posture),
    diagnoses: command === 'doctor' ? diagnose(application, doctorOptions(loaded, cwd)) : [],
    breaches: command === 'check' && baseline !== undefined ? checkBaseline(posture, baseline) : [],
    answers:
      command === 'audit'
        ? answerChecklist(posture, {
            findings: toldOnce(findingsOf(posture), diagnosesOf(application, doctorOptions(loaded, cwd))),
            rateLimitEvidence,
            ...(baseline === undefined ? {} : { baseline }),
          })
        : [],
  }
}

function doctorOptions({ server, file, unusedExpress }: LoadedApplication, root: string): DiagnoseOptions {
  const files = Object.keys(createRequire(file).cache)
  return {
    root,
    source: file,
    loadedFiles: files.filter((path) => unusedExpress === undefined || !path.startsWith(unusedExpress)),
    ...(server === undefined ? {} : { server }),
  }
}

async function loadBaseline(cwd: string, given: string): Promise<Baseline> {
  const exported = await importModule(fileOrPackage(cwd, given), given)
  const { default: inner, baseline } = exported as { default?: unknown; baseline?: unknown }
  const further = (inner ?? {}) as { default?: unknown; baseline?: unknown }
  const found = [inner, baseline, further.default, further.baseline].find(isBaseline)
  if (found !== undefined) return found
  throw unloadable(
    `${quoted(given)} exports no baseline.`,
    'Its default export, or one named "baseline", is to be what defineBaseline() answers.',
  )
}

/** Name of the nearest package above a file. */
function packageName(file: string): string | undefined {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const path = join(folder, 'package.json')
    if (existsSync(path)) return nameIn(path)
    if (folder === dirname(folder)) return undefined
  }
}

function nameIn(path: string): string | undefined {
  try {
    const { name } = JSON.parse(readFileSync(path, 'utf8')) as { name?: unknown }
    return typeof name === 'string' && name !== '' ? name : undefined
  } catch {
    return undefined
  }
}

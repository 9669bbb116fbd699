import type { HopAnswer } from '../../../core/hop-proof.js'
import { chain } from '../../../core/thenable.js'
import { PROVEN, type Approach, type Proof } from './proof.js'

/**
 * A proof that holds where all of these hold. Where only some do, the request is refused and not taken for one of
 * somebody else: the connection is the hop's, and what it should have written into the request is missing.
 */
export function allOf(proofs: readonly Proof[]): Proof {
  const [only] = proofs
  if (only !== undefined && proofs.length === 1) return only

  function prove(
    approach: Approach,
    index: number,
    answers: readonly HopAnswer[],
  ): HopAnswer | Promise<HopAnswer> {
    const proof = proofs[index]
    if (proof === undefined) return together(answers)
    return chain(proof.prove(approach), (answer) => prove(approach, index + 1, [...answers, answer]))
  }

  function together(answers: readonly HopAnswer[]): HopAnswer {
    if (answers.includes('refused')) return 'refused'
    if (answers.every(isStatement)) return answers.find(({ claims }) => claims !== undefined) ?? PROVEN
    // That an address is in a network says nothing of who it is.
    const isHop = answers.some((answer, index) => isStatement(answer) && proofs[index]?.isWeak === false)
    return isHop ? 'refused' : undefined
  }

  return {
    kind: proofs.map(({ kind, detail }) => `${kind} ${detail}`.trim()).join(' and '),
    detail: '',
    isWeak: proofs.every(({ isWeak }) => isWeak),
    headers: proofs.flatMap(({ headers }) => headers),
    made: proofs.flatMap(({ made }) => made ?? []),
    isOfConnection: proofs.some(({ isOfConnection }) => isOfConnection === true),
    prove: (approach) => prove(approach, 0, []),
  }
}

/** A proof is an object. What is merely truthy, as the answer of a forgotten comparison, is none. */
export function isStatement(answer: unknown): answer is Exclude<HopAnswer, 'refused' | undefined> {
  return typeof answer === 'object' && answer !== null
}

// CVE-2017-15361: a widespread smart-card library made RSA primes of the form k*M + (65537^a mod M), M a primorial.
// Such a modulus is a power of 65537 modulo every small prime; an ordinary one is so for all of these with a
// probability below 2^-27 (Nemec et al., "The Return of Coppersmith's Attack", section 3).
const PRIMES = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157]
const GENERATOR = 65537

const POWERS = PRIMES.map((prime) => ({ prime: BigInt(prime), residues: powersModulo(prime) }))

/** Whether an RSA modulus has the fingerprint of the weak generator. */
export function hasRocaFingerprint(modulus: bigint): boolean {
  return POWERS.every(({ prime, residues }) => residues.has(Number(modulus % prime)))
}

function powersModulo(prime: number): ReadonlySet<number> {
  const residues = new Set<number>()
  for (let power = 1; !residues.has(power); power = (power * GENERATOR) % prime) residues.add(power)
  return residues
}

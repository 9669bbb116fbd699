import { expect, it } from '@jest/globals'
import * as everything from '../src/index.js'

it('exports these names; a new one is a decision', () => {
  expect(Object.keys(everything).toSorted()).toEqual([
    'PASSED',
    'SecurityProblem',
    'auditLog',
    'authenticate',
    'contextOf',
    'defineGuard',
    'exposedHeaders',
    'guardMetadataOf',
    'inputOf',
    'isSecurityProblem',
    'lifecycle',
    'memoryStore',
    'notFound',
    'optionalPrincipalOf',
    'principalFrom',
    'principalOf',
    'problem',
    'publicRoute',
    'rateLimit',
    'redisStore',
    'requireScopes',
    'secureErrors',
    'secureHeaders',
    'validateBody',
  ])
})

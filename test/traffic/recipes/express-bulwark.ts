// What the recipes import as 'express-bulwark'.
export * from '../../../src/index.js'
export { penalise } from '../../../src/traffic/penalise.js'

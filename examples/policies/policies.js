import express from 'express'
import {
  auditLog,
  authenticate,
  authorize,
  forbidTogether,
  inputOf,
  lifecycle,
  notFound,
  requireClaims,
  requireResource,
  requireRoles,
  requireScopes,
  requireService,
  requireTenant,
  secureErrors,
} from 'express-bulwark'

/**
 * A service of payments, one route for each kind of rule.
 *
 * @param {object} options
 * @param {string} options.issuer the authorization server, as it stands in the `iss` claim
 * @param {string} options.audience this service, as it stands in the `aud` claim
 * @param {import('express-bulwark').AuditLogger} [options.logger] where audit records go; standard output by default
 */
export function createService({ issuer, audience, logger }) {
  // In memory, and the same for everybody who starts it: your database goes here.
  const payments = new Map([
    ['1', { id: '1', tenant: 'north', createdBy: 'ada', amount: 40 }],
    ['2', { id: '2', tenant: 'north', createdBy: 'ben', amount: 900 }],
  ])
  const done = (_req, res) => res.json({ done: true })

  const app = express()
  const audit = auditLog({ logger })
  const authentication = authenticate({ issuer, audience })
  app.use(audit)
  app.use(authentication)

  // #region least privilege
  app.get('/payments', requireScopes('payments:read'), done)
  app.post('/payments', requireScopes('payments:create'), done)
  // #endregion

  // #region roles
  app.get('/reports', requireRoles({ any: ['auditor', 'admin'] }), done)
  // #endregion

  // #region attributes
  const seniorFinance = requireClaims(
    { department: 'finance', level: (level) => Number.isInteger(level) && level >= 3 },
    { name: 'senior-finance' },
  )
  app.post('/refunds', requireScopes('payments:create'), seniorFinance, done)
  // #endregion

  // #region objects
  const ownPayment = requireResource({
    name: 'own-payment',
    load: (req) => payments.get(req.params.id),
    rule: (payment, principal) => payment.createdBy === principal.subject,
  })
  app.get('/payments/:id', requireScopes('payments:read'), ownPayment, (req, res) => {
    res.json(inputOf(req, ownPayment))
  })
  // #endregion

  // #region tenants
  const ownTenant = requireTenant({ claim: 'tenant', from: (req) => req.params.tenant, name: 'own-tenant' })
  app.get('/tenants/:tenant/payments', requireScopes('payments:read'), ownTenant, done)

  const tenantsPayment = requireResource({
    name: 'tenants-payment',
    load: (req) => payments.get(req.params.id),
    rule: (payment, principal) => payment.tenant === principal.claims.tenant,
  })
  // #endregion

  // #region separation of duties
  const oneDuty = forbidTogether({
    scopes: ['payments:create', 'payments:approve'],
    name: 'create-or-approve',
  })
  const othersPayment = requireResource({
    name: 'others-payment',
    hidden: false,
    load: (req) => payments.get(req.params.id),
    rule: (payment, principal) => payment.createdBy !== principal.subject,
  })
  const approver = [requireScopes('payments:approve'), oneDuty, tenantsPayment, othersPayment]
  app.post('/payments/:id/approval', approver, done)
  // #endregion

  // #region services
  app.post('/settlements', requireService({ clients: ['settlement-job'] }), done)
  // #endregion

  // #region policy
  const smallOrAdmin = ({ subject, resource }) => {
    if (subject.properties.roles.includes('admin')) return { decision: true, rule: 'admins', version: '1' }
    return { decision: resource.properties.amount < 100, rule: 'small-amounts', version: '1' }
  }
  const mayCancel = authorize(smallOrAdmin, {
    action: 'cancel',
    resource: (req) => ({ type: 'payment', id: req.params.id, properties: inputOf(req, tenantsPayment) }),
  })
  app.delete('/payments/:id', requireScopes('payments:create'), tenantsPayment, mayCancel, done)
  // #endregion

  app.use(notFound())
  app.use(secureErrors())
  return { app, lifecycle: lifecycle(audit, authentication) }
}

export interface OwaspRisk {
  readonly title: string
  /** What the library can say of it: never that there is none of it. */
  readonly says: string
}

/** OWASP API Security Top 10, 2023. */
export const OWASP: Readonly<Record<string, OwaspRisk>> = {
  'API1:2023': {
    title: 'Broken Object Level Authorization',
    says: 'Not checked: no posture can show that a handler looks at whose object it is.',
  },
  'API2:2023': {
    title: 'Broken Authentication',
    says: 'Which routes authenticate, with which issuer, audience and longest age of tokens.',
  },
  'API3:2023': {
    title: 'Broken Object Property Level Authorization',
    says: 'Which bodies are refused for unknown fields. What handlers send is not checked.',
  },
  'API4:2023': {
    title: 'Unrestricted Resource Consumption',
    says: 'Which routes have a rate limit that refuses. Sizes, costs and time-outs are not checked.',
  },
  'API5:2023': {
    title: 'Broken Function Level Authorization',
    says: 'Which routes are refused by default, and which ask for scopes.',
  },
  'API6:2023': {
    title: 'Unrestricted Access to Sensitive Business Flows',
    says: 'Which routes have a rate limit. Which flows are sensitive is not known.',
  },
  'API7:2023': { title: 'Server Side Request Forgery', says: 'Not checked.' },
  'API8:2023': {
    title: 'Security Misconfiguration',
    says: 'Error answers, audit and headers, as far as the middlewares of this library are mounted.',
  },
  'API9:2023': {
    title: 'Improper Inventory Management',
    says: 'Every route of this application, and those that cannot be seen. Other hosts and versions are not checked.',
  },
  'API10:2023': { title: 'Unsafe Consumption of APIs', says: 'Not checked.' },
}

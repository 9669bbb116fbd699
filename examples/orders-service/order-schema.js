/**
 * What an order is (JSON Schema, draft 2020-12). Every list, text and number has an upper bound; a field that is not
 * named here is refused by `validateBody`, without `additionalProperties: false` in every object.
 */
export const orderSchema = {
  title: 'order',
  type: 'object',
  required: ['items'],
  properties: {
    items: {
      type: 'array',
      minItems: 1,
      maxItems: 50,
      items: {
        type: 'object',
        required: ['sku', 'quantity'],
        properties: {
          sku: { type: 'string', pattern: '^[A-Z0-9-]{1,20}$' },
          quantity: { type: 'integer', minimum: 1, maximum: 1000 },
        },
      },
    },
    note: { type: 'string', maxLength: 500 },
  },
}

import { describe, expect, it } from '@jest/globals'
import { MalformedValue } from '../../../src/transport/gateway/formats/malformed-value.js'
import { viewerAddress } from '../../../src/transport/gateway/formats/viewer-address.js'

describe('CloudFront-Viewer-Address', () => {
  it.each([
    ['198.51.100.10:46532', '198.51.100.10'],
    ['198.51.100.10:0', '198.51.100.10'],
    ['2001:db8:0:0:0:0:0:1:46532', '2001:db8:0:0:0:0:0:1'],
    ['2001:db8::1:46532', '2001:db8::1'],
    ['[2001:db8::1]:46532', '2001:db8::1'],
    ['::ffff:198.51.100.10:443', '::ffff:198.51.100.10'],
  ])('%s is from %s', (value, address) => {
    expect(viewerAddress(value)).toBe(address)
  })

  it.each([
    '',
    '::',
    '198.51.100.10',
    '198.51.100.10:',
    '198.51.100.10:65536',
    '198.51.100.10:+80',
    '198.51.100.10:080',
    '198.51.100.10:80, 10.0.0.1:80',
    '198.51.100.10 :80',
    '198.51.100.010:80',
    '[198.51.100.10]:80',
    '[2001:db8::1]',
    '[2001:db8::1%eth0]:80',
    '2001:db8:0:0:0:0:0:1',
    'localhost:80',
    '10.0.0.1:80:80',
    '127.1:80',
    ':80',
    'a'.repeat(10_000),
    ':'.repeat(10_000),
  ])('%j is refused', (value) => {
    expect(() => viewerAddress(value)).toThrow(MalformedValue)
  })
})

import { describe, expect, it } from '@jest/globals'
import { addressKey } from '../../src/core/address.js'

describe('addressKey', () => {
  it.each([
    ['an IPv4 address as it is', '203.0.113.9', '203.0.113.9'],
    ['a mapped address as its IPv4 address', '::ffff:203.0.113.9', '203.0.113.9'],
    ['a mapped address in hexadecimal', '::ffff:cb00:7109', '203.0.113.9'],
    ['a mapped address spelt out', '0:0:0:0:0:FFFF:203.0.113.9', '203.0.113.9'],
    ['a NAT64 address as its IPv4 address', '64:ff9b::203.0.113.9', '203.0.113.9'],
    ['a NAT64 address in hexadecimal', '0064:ff9b:0:0:0:0:cb00:7109', '203.0.113.9'],
    ['an IPv6 address by its first 64 bits', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['the same network in another spelling', '2001:0DB8:0001:0002::ffff', '2001:db8:1:2::/64'],
    ['a zone id dropped', 'fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['loopback', '::1', '0:0:0:0::/64'],
    ['an IPv4 address with a port', '203.0.113.9:8080', '203.0.113.9'],
    ['an IPv6 address in brackets', '[2001:db8:1:2::1]', '2001:db8:1:2::/64'],
    ['an IPv6 address with a port', '[2001:db8:1:2::1]:443', '2001:db8:1:2::/64'],
    ['nothing mapped that only looks so', '::fffe:203.0.113.9', '0:0:0:0::/64'],
  ])('reads %s', (_case, address, key) => {
    expect(addressKey(address)).toBe(key)
  })

  it.each([
    undefined,
    '',
    'unknown',
    '1.2.3',
    '1.2.3.4.5',
    '203.0.113.9:',
    '999.0.113.9:80',
    '[::1',
    '[203.0.113.9]',
    'fe80::1::2',
    ' 203.0.113.9',
    '%eth0',
  ])('refuses %p, which is no address', (address) => {
    expect(addressKey(address)).toBeUndefined()
  })
})

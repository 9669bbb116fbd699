import { describe, expect, it } from '@jest/globals'
import { addressKey } from '../../src/core/address.js'

const LOCAL = (rest: string): string => `64:ff9b:1:${rest}/128`

describe('addressKey', () => {
  it.each([
    ['an IPv4 address as it is', '203.0.113.9', '203.0.113.9'],
    ['a mapped address as its IPv4 address', '::ffff:203.0.113.9', '203.0.113.9'],
    ['a mapped address in hexadecimal', '::ffff:cb00:7109', '203.0.113.9'],
    ['a mapped address spelt out', '0:0:0:0:0:FFFF:203.0.113.9', '203.0.113.9'],
    ['a NAT64 address as its IPv4 address', '64:ff9b::203.0.113.9', '203.0.113.9'],
    ['a NAT64 address in hexadecimal', '0064:ff9b:0:0:0:0:cb00:7109', '203.0.113.9'],
    // RFC 8215: whoever runs it chooses which bits hold the IPv4 address (RFC 6052 section 2.2).
    ['an address of the local NAT64 prefix, of 96 bits', '64:ff9b:1::203.0.113.9', LOCAL('0:0:0:cb00:7109')],
    ['the same in hexadecimal', '0064:FF9B:0001:0:0:0:cb00:7109', LOCAL('0:0:0:cb00:7109')],
    ['the same in brackets', '[64:ff9b:1::cb00:7109]:443', LOCAL('0:0:0:cb00:7109')],
    ['the same with a zone id', '64:ff9b:1::cb00:7109%eth0', LOCAL('0:0:0:cb00:7109')],
    ['one of 48 bits', '64:ff9b:1:cb00:71:900::', LOCAL('cb00:71:900:0:0')],
    ['one of 64 bits', '64:ff9b:1:0:cb:71:900:0', LOCAL('0:cb:71:900:0')],
    ['a neighbour of the NAT64 prefixes by its first 64 bits', '64:ff9b:2::203.0.113.9', '64:ff9b:2:0::/64'],
    ['a translated address (SIIT) as its IPv4 address', '::ffff:0:203.0.113.9', '203.0.113.9'],
    ['a 6to4 address as its IPv4 address', '2002:cb00:7109:1234::1', '203.0.113.9'],
    ['a Teredo address as its client’s IPv4 address', '2001:0:4136:e378:8000:63bf:34ff:8ef6', '203.0.113.9'],
    [
      'a neighbour of Teredo by its first 64 bits',
      '2001:1:4136:e378:8000:63bf:34ff:8ef6',
      '2001:1:4136:e378::/64',
    ],
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
    [48, '2001:db8:1:0::/48'],
    [56, '2001:db8:1:1200::/56'],
    [64, '2001:db8:1:1234::/64'],
  ] as const)('counts by %d bits', (prefix, key) => {
    expect(addressKey('2001:db8:1:1234:5:6:7:8', prefix)).toBe(key)
  })

  it('tells clients behind the local NAT64 apart, by 56 bits as well', () => {
    for (const prefix of [56, 64] as const) {
      const key = (last: string): string | undefined => addressKey(`64:ff9b:1::${last}`, prefix)
      expect(key('203.0.113.9')).not.toBe(key('203.0.113.10'))
      expect(key('203.0.113.9')).toBe(key('cb00:7109'))
      expect(key('203.0.113.9')).toBe(LOCAL('0:0:0:cb00:7109'))
    }
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

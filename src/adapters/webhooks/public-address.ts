// Tells addresses of the public internet from those that lead inside: this machine, private networks, the
// services of a cloud, and every block that is not for traffic between strangers.
// Source: the special-purpose address registries of IANA (RFC 6890 and what follows it).

import { BlockList, isIP } from 'node:net'

const INSIDE_V4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]
/** Global unicast is 2000::/3; of it, these lead elsewhere, 6to4 and Teredo into IPv4 among them. */
const INSIDE_V6: readonly (readonly [string, number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  ['3fff::', 20],
]

const insideV4 = new BlockList()
for (const [network, prefix] of INSIDE_V4) insideV4.addSubnet(network, prefix, 'ipv4')
const insideV6 = new BlockList()
for (const [network, prefix] of INSIDE_V6) insideV6.addSubnet(network, prefix, 'ipv6')
const globalV6 = new BlockList()
globalV6.addSubnet('2000::', 3, 'ipv6')

/** True for an IP address that any stranger on the internet could reach; anything else, names too, is false. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !insideV4.check(address, 'ipv4')
  if (family === 6) return globalV6.check(address, 'ipv6') && !insideV6.check(address, 'ipv6')
  return false
}

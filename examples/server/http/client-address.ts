/** The address that limits count by: of IPv6 the network of 64 bits, since a household has all of it. */
export function addressOf(remoteAddress = ''): string {
  const address = remoteAddress.replace(/%.*$/, '').replace(/^::ffff:(?=[\d.]+$)/i, '');
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}

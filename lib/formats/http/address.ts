/** Whether a file is named by an http(s) address. */
export function isAddress(location: string): boolean {
  return /^https?:\/\//i.test(location);
}

/** What the package uses of node:fs. Browsers have no such files, and callers expect that reading one fails. */
function refuse(): never {
  throw new Error('Expected files but a browser has none.');
}

export { refuse as readFileSync, refuse as statfsSync };

/** What the package uses of node:path. No path is ever asked for, because there are no files. */
export const dirname = (path: string): string => path;
export const resolve = dirname;

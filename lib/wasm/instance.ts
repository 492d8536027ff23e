/** The module that index.mts has started. */
let addon: unknown;

export function setAddon(started: unknown): void {
  addon = started;
}

export function getAddon(): unknown {
  return addon;
}

/** What the package uses of node:diagnostics_channel. Nobody can subscribe. */
export interface Channel {
  readonly hasSubscribers: boolean;
  publish: (message: unknown) => void;
}

export function channel(): Channel {
  return { hasSubscribers: false, publish: () => undefined };
}

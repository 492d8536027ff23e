/** The names that columns of times and of channels have in tables, arrays and archives. */

/** A column of times; the unit of its numbers may be a part of its name. */
export const TIME =
  /^(?:spike[ _]?)?(?:t|ts|times?|timestamps?)(?:[ _]?[[(]?(s|sec|seconds|ms|us|µs|ns)[\])]?)?$/;
/** A column of channels. */
export const ID =
  /^(?:spike[ _]?)?(?:channels?|ch|units?|unit[ _]ids?|ids?|neurons?|neuron[ _]ids?|node[ _]ids?|clusters?|cluster[ _]ids?|gids?|senders?|cells?|cell[ _]ids?|i)$/;

/** Of a second. */
const SECONDS: Readonly<Partial<Record<string, number>>> = {
  s: 1,
  sec: 1,
  seconds: 1,
  ms: 1e-3,
  us: 1e-6,
  µs: 1e-6,
  ns: 1e-9,
};

/** The unit that is a part of the name of a column of times; undefined if there is none. */
export function unitIn(name: string): number | undefined {
  const [, suffix] = TIME.exec(name.toLowerCase()) ?? [];
  return suffix === undefined ? undefined : SECONDS[suffix];
}

/** The first name that matches, in any case. */
export function findName(names: readonly string[], pattern: RegExp): string | undefined {
  return names.find((name) => pattern.test(name.toLowerCase()));
}

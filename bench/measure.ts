/**
 * Measures contenders side by side: in each round, each of them runs once. The order changes from round to round,
 * because whoever comes after a copy of the arrays pays for the caches that it has left.
 */

export interface Contender {
  name: string;
  /** Nanoseconds of one run. */
  time: () => number | Promise<number>;
  /** Samples of one run; times are shown per sample. Default: those of the case. */
  samples?: number;
}

/** A goal of the first contender. */
export type Goal =
  /** Its time is at most so many times that of the peer. */
  | { against: string; atMost: number }
  /** The peer takes at least so many times its time. */
  | { against: string; timesFaster: number }
  /** No contender takes more than so many times the time of the fastest, per sample. */
  | { spread: number };

export interface Measured {
  name: string;
  /** Nanoseconds per sample: median, first and third quartile. */
  median: number;
  quartiles: [number, number];
  /** Nanoseconds per sample of every round. */
  rounds: number[];
}

export interface Verdict {
  goal: Goal;
  /** The ratio that the goal limits: the median over the rounds. */
  ratio: number;
  isMet: boolean;
}

/** Returns a function that times one call, in nanoseconds: the mean of as many as fill a few milliseconds. */
export function timeCalls(call: () => void): () => number {
  let nCalls = 1;
  const leastNanoseconds = 4e6;
  return () => {
    for (;;) {
      const start = process.hrtime.bigint();
      for (let i = 0; i < nCalls; i++) call();
      const elapsed = Number(process.hrtime.bigint() - start);
      if (elapsed >= leastNanoseconds || nCalls >= 1e7) return elapsed / nCalls;
      nCalls *= elapsed < leastNanoseconds / 8 ? 8 : 2;
    }
  };
}

/** JavaScript is compiled while it runs, so a contender runs this long before it is measured. */
const WARM_UP_MILLISECONDS = 300;

async function warmUp(contender: Contender): Promise<void> {
  const start = performance.now();
  do {
    await contender.time();
  } while (performance.now() - start < WARM_UP_MILLISECONDS);
}

/** Warms up every contender, then runs them in turn. */
export async function measure(
  contenders: readonly Contender[],
  samples: number,
  rounds: number,
): Promise<Measured[]> {
  const times = contenders.map(() => [] as number[]);
  for (const contender of contenders) await warmUp(contender);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const place = (turn + round) % contenders.length;
      const i = round % 2 === 0 ? place : contenders.length - 1 - place;
      const contender = contenders[i];
      if (contender === undefined) continue;
      times[i]?.push((await contender.time()) / (contender.samples ?? samples));
    }
  }
  return contenders.map(({ name }, i) => {
    const all = times[i] ?? [];
    return {
      name,
      median: median(all),
      quartiles: [quantile(all, 0.25), quantile(all, 0.75)],
      rounds: all,
    };
  });
}

/** Compares the measurements with a goal; undefined if the peer was not measured. */
export function judge(goal: Goal, measured: readonly Measured[]): Verdict | undefined {
  const [ours] = measured;
  if (ours === undefined) return undefined;
  if ('spread' in goal) {
    const medians = measured.map(({ median }) => median);
    const ratio = Math.max(...medians) / Math.min(...medians);
    return { goal, ratio, isMet: ratio <= goal.spread };
  }
  const peer = measured.find(({ name }) => name === goal.against);
  if (peer === undefined) return undefined;
  const ratios = ours.rounds.map((time, round) => time / (peer.rounds[round] ?? NaN));
  const ratio = median(ratios);
  if ('atMost' in goal) return { goal, ratio, isMet: ratio <= goal.atMost };
  return { goal, ratio: 1 / ratio, isMet: 1 / ratio >= goal.timesFaster };
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which this part of the values lies; between two values, interpolated. */
function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * part;
  const low = sorted[Math.floor(place)] ?? NaN;
  const high = sorted[Math.ceil(place)] ?? NaN;
  return low + (high - low) * (place - Math.floor(place));
}

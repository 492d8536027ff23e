import type { Contender, Goal } from './measure';
import type { Python } from './peers/python';

/** One row of the benchmark: contenders to time side by side, or a figure that is not a time. */
export type BenchCase = TimedCase | FigureCase;

interface TimedCase {
  group: string;
  name: string;
  /** Samples of one run; times are shown per sample. */
  samples: number;
  goals: Goal[];
  /** The package first, then its peers. Peers that are not installed are left out. */
  contenders: (python: Python) => Contender[] | Promise<Contender[]>;
}

interface FigureCase {
  group: string;
  name: string;
  /** Measured once. */
  figure: () => Figure | Promise<Figure>;
}

export interface Figure {
  text: string;
  isMet: boolean;
}

/** The benchmark's cases, a file for each group. To add a group, add a file and a line here. */
import type { BenchCase } from '../bench-case';
import { alternativeCases } from './alternatives';
import { choiceCases } from './choice';
import { copyCases } from './copy';
import { eventLoopCases } from './event-loop';
import { eventCases } from './events';
import { firCases } from './fir';
import { firSessionCases } from './fir-sessions';
import { growthCases } from './growth';
import { memoryCases } from './memory';
import { noiseCases } from './noise';
import { secondOrderCases } from './second-order';
import { sessionCases } from './sessions';
import { silenceCases } from './silence';
import { tauCases } from './tau';
import { threadCases } from './threads';
import { tickCases } from './tick';
import { transformCases } from './transforms';

export const cases: readonly BenchCase[] = [
  ...copyCases(),
  ...alternativeCases(),
  ...transformCases(),
  ...firCases(),
  ...firSessionCases(),
  ...secondOrderCases(),
  ...eventCases(),
  ...noiseCases(),
  ...threadCases(),
  ...tickCases(),
  ...sessionCases(),
  ...growthCases(),
  ...memoryCases(),
  ...eventLoopCases(),
  ...silenceCases(),
  ...tauCases(),
  ...choiceCases(),
];

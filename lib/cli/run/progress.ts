/** Shows how far a run has come: a bar on a terminal, or one line of JSON a second. */
import type { SingleBar } from 'cli-progress';

import type { ProgressMode } from '../options/run-options';
import { formatTime } from '../../figure/words';
import type { TextStream } from '../context/command-context';

const INTERVAL = 1000;
/** A run that is over sooner shows no bar. */
const BAR_DELAY = 500;

/** How far a run has come, as the JSON lines say it. */
export interface ProgressLine {
  /** Samples written, and of how many. */
  done: number;
  total: number;
  /** Seconds since the run, or its continuation, has begun. */
  seconds: number;
  samplesPerSecond: number;
  /** Null until a rate is known. */
  secondsLeft: number | null;
}

/** Shows the progress of `total` samples, until stop() is called. */
export class ProgressDisplay {
  readonly #stream: TextStream;
  readonly #total: number;
  readonly #begin = performance.now();
  #done = 0;
  /** Samples that earlier processes have written. */
  #inherited = 0;
  readonly #isJson: boolean;
  #timer: NodeJS.Timeout | undefined;
  #bar: SingleBar | undefined;
  #isStopped = false;

  constructor(stream: TextStream, mode: ProgressMode, total: number) {
    this.#stream = stream;
    this.#total = total;
    const isBar = mode === 'bar' || (mode === 'auto' && stream.isTTY === true);
    if (isBar) this.#timer = setTimeout(() => void this.#startBar(), BAR_DELAY);
    this.#isJson = mode === 'json';
    if (this.#isJson) {
      this.#timer = setInterval(() => {
        this.#writeLine();
      }, INTERVAL);
    }
  }

  /** Counts samples as done, by this process or by an earlier one. */
  advance(samples: number, isInherited = false): void {
    this.#done += samples;
    if (isInherited) this.#inherited += samples;
  }

  /** Writes a line, in place of the bar, which is drawn again below it. */
  say(text: string): void {
    this.#stream.write(`${this.#bar === undefined ? '' : '\r\x1b[K'}${text}\n`);
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearTimeout(this.#timer);
    if (this.#isJson) this.#writeLine();
    this.#updateBar();
    this.#bar?.stop();
  }

  #line(): ProgressLine {
    const seconds = (performance.now() - this.#begin) / 1000;
    const own = this.#done - this.#inherited;
    const rate = own / seconds;
    return {
      done: this.#done,
      total: this.#total,
      seconds: Number(seconds.toFixed(3)),
      samplesPerSecond: Math.round(rate),
      secondsLeft: own > 0 ? Math.round((this.#total - this.#done) / rate) : null,
    };
  }

  #writeLine(): void {
    this.#stream.write(`${JSON.stringify(this.#line())}\n`);
  }

  async #startBar(): Promise<void> {
    const { SingleBar } = await import('cli-progress');
    if (this.#isStopped) return;
    this.#bar = new SingleBar({
      format: '{bar} {percentage}%  {rate}  {left}',
      stream: this.#stream as NodeJS.WritableStream,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      hideCursor: true,
      clearOnComplete: true,
      stopOnComplete: false,
      forceRedraw: true,
    });
    this.#bar.start(this.#total, 0, { rate: '', left: '' });
    this.#timer = setInterval(() => {
      this.#updateBar();
    }, INTERVAL / 4);
    this.#updateBar();
  }

  #updateBar(): void {
    const { samplesPerSecond, secondsLeft } = this.#line();
    this.#bar?.update(this.#done, {
      rate: `${(samplesPerSecond / 1e6).toPrecision(3)} million samples/s`,
      left: secondsLeft === null ? '' : `${formatDuration(secondsLeft)} left`,
    });
  }
}

/** 3 h 20 min, 5 min 3 s, 12 s. */
function formatDuration(seconds: number): string {
  if (seconds >= 3600)
    return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
  if (seconds >= 60) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return formatTime(seconds);
}

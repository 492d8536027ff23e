/** What a long run shows. */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import { ProgressDisplay, type ProgressLine } from '../../lib/cli/run/progress';

import { emptyFolders } from '../support/folders';

describe('progress', () => {
  emptyFolders();

  /** A terminal, or something else, that keeps what is written to it. */
  class Screen extends Writable {
    text = '';
    readonly columns = 100;

    constructor(readonly isTTY: boolean) {
      super();
    }

    override _write(chunk: Buffer, _encoding: string, done: () => void): void {
      this.text += chunk.toString();
      done();
    }
  }

  it('is a bar with rate and time left on a terminal', async () => {
    const screen = new Screen(true);
    const display = new ProgressDisplay(screen, 'auto', 1000);
    display.advance(100, true);
    display.advance(150);
    await sleep(1100);
    display.stop();
    assert.match(screen.text, /25%/);
    assert.match(screen.text, /million samples\/s/);
    assert.match(screen.text, /\d s left/);
  });

  it('is nothing for a run that is over soon, or in a pipe', async () => {
    for (const [isTerminal, mode, wait] of [
      [true, 'auto', 50],
      [false, 'auto', 700],
      [true, 'none', 700],
    ] as const) {
      const screen = new Screen(isTerminal);
      const display = new ProgressDisplay(screen, mode, 1000);
      display.advance(500);
      await sleep(wait);
      display.stop();
      assert.equal(screen.text, '');
    }
  });

  it('is a line of JSON a second on request', async () => {
    const screen = new Screen(false);
    const display = new ProgressDisplay(screen, 'json', 1000);
    display.advance(200, true);
    display.advance(300);
    await sleep(2300);
    display.advance(500);
    display.stop();
    const lines = screen.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as ProgressLine);
    assert.equal(lines.length, 3);
    assert.deepEqual(
      lines.map(({ done }) => done),
      [500, 500, 1000],
    );
    for (const { total, seconds, samplesPerSecond, secondsLeft, done } of lines) {
      assert.equal(total, 1000);
      const rate = (done - 200) / seconds;
      assert.ok(Math.abs(samplesPerSecond - rate) <= 1, `${samplesPerSecond} for ${rate}`);
      assert.ok(Math.abs((secondsLeft ?? NaN) - (total - done) / rate) <= 1);
    }
  });
});

/**
 * Shows spikes and currents as they come, on three canvases: a raster, the currents of all channels, and the
 * trace of channel 0. Knows nothing of where they come from.
 */
import { drawCurrents } from './currents.js';
import { History, roundUp } from './history.js';
import { format, Plot } from './plot.js';
import { drawRaster } from './raster.js';
import { readTheme } from './theme.js';
import { drawTrace } from './trace.js';

/** Simulated seconds of a column. */
const COLUMN_SECONDS = 0.005;
/** Columns that are kept: more than a screen has pixels in a row. */
const MOST_COLUMNS = 4096;
/** The smallest current at which the scales end. */
const LEAST_SCALE = 0.1;

export class LiveView {
  /** @param canvases The canvases `raster`, `currents` and `trace`. */
  constructor(channels, canvases) {
    this.history = new History(channels, MOST_COLUMNS, COLUMN_SECONDS);
    this.raster = new Plot(canvases.raster);
    this.currents = new Plot(canvases.currents);
    this.trace = new Plot(canvases.trace);
    this.isDrawn = false;
    this.updateTheme();
  }

  /** Simulated seconds so far. */
  get seconds() {
    return this.history.seconds;
  }

  /** Adds steps of dt seconds: spikes and currents (steps, channels). */
  add(spikes, currents, steps, dt) {
    this.history.add(spikes, currents, steps, dt);
    this.isDrawn = false;
  }

  clear() {
    this.history.clear();
    this.isDrawn = false;
  }

  /** To be called when the size of the page, or its colours, have changed. */
  updateTheme() {
    this.theme = readTheme();
    this.isDrawn = false;
  }

  /** Draws what has changed. Returns the ends of the scale of currents as text, undefined if nothing did. */
  draw() {
    if (this.isDrawn) return undefined;
    this.isDrawn = true;
    const { history, theme } = this;
    const { nColumns = MOST_COLUMNS } = this.currents.area ?? {};
    const scale = roundUp(Math.max(LEAST_SCALE, history.peak(nColumns)));
    for (const plot of [this.raster, this.currents, this.trace]) plot.font = theme.font;
    drawRaster(this.raster, history, theme);
    drawCurrents(this.currents, history, scale, theme);
    drawTrace(this.trace, history, scale, theme);
    return [format(-scale), format(scale)];
  }
}

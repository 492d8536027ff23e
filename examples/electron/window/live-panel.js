// @ts-check
/** Asks the engine for steps as simulated time passes, and draws them. */
import { createControls } from './controls.js';
import { LiveView } from './drawing/live-view.js';
import { SimulationClock } from './simulation-clock.js';

/** As many as the engine simulates. */
const CHANNELS = 48;
/** The most simulated seconds of one request. */
const REQUEST_SECONDS = 0.25;
/** The most requests without an answer. */
const MOST_PENDING = 4;

/** @type {(id: string) => any} Elements of index.html. */
const element = (id) => document.getElementById(id);

export class LivePanel {
  #expsyn;
  #isShown;
  #controls = createControls(['tau', 'dt', 'rate']);
  #clock = new SimulationClock();
  #view = new LiveView(CHANNELS, {
    raster: element('raster'),
    currents: element('currents'),
    trace: element('trace'),
  });
  #isRunning = false;
  #isPaused = false;
  #nPending = 0;
  #nSteps = 0;
  #figuresAt = 0;

  /**
   * @param {import('./expsyn.js').ExpsynBridge} expsyn
   * @param {() => boolean} isShown Whether the panel can be seen. The simulation stands still if not.
   */
  constructor(expsyn, isShown) {
    this.#expsyn = expsyn;
    this.#isShown = isShown;
    const updateTheme = () => this.#view.updateTheme();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', updateTheme);
    new ResizeObserver(updateTheme).observe(element('live'));
    element('controls').addEventListener('submit', (event) => event.preventDefault());
    element('pause').addEventListener('click', () => {
      this.#isPaused = !this.#isPaused;
      element('pause').setAttribute('aria-pressed', String(this.#isPaused));
    });
    requestAnimationFrame(() => this.#showFrame());
  }

  /** The engine is there, with a new simulation. */
  start() {
    this.#view.clear();
    this.#clock.reset();
    this.#nPending = 0;
    this.#nSteps = 0;
    this.#isRunning = true;
  }

  stop() {
    this.#isRunning = false;
  }

  /** @param {import('./expsyn.js').StepsEvent} event */
  receive({ spikes, currents, steps, dt }) {
    this.#nPending--;
    this.#nSteps += steps;
    this.#view.add(spikes, currents, steps, dt);
  }

  refuse(message) {
    this.stop();
    element('figures').textContent = message;
  }

  #showFrame() {
    const now = performance.now();
    if (this.#isRunning && !this.#isPaused && !document.hidden && this.#isShown()) {
      this.#requestSteps(now);
    } else {
      this.#clock.stop();
    }
    if (this.#isShown()) this.#draw(now);
    requestAnimationFrame(() => this.#showFrame());
  }

  /** Asks for the steps of the time that has passed. Less than a step is left for the next time. */
  #requestSteps(now) {
    this.#clock.update(now);
    const [tau, dt, rate] = ['tau', 'dt', 'rate'].map((name) => this.#controls[name].value());
    const most = Math.max(1, Math.floor(REQUEST_SECONDS / dt));
    while (this.#nPending < MOST_PENDING) {
      const steps = this.#clock.takeSteps(dt, most);
      if (steps === 0) return;
      this.#nPending++;
      this.#expsyn.requestSteps({ steps, tau, dt, rate });
    }
  }

  #draw(now) {
    const scale = this.#view.draw();
    if (scale !== undefined) element('scale').textContent = scale.join(' through 0 to ');
    if (!this.#isRunning || now - this.#figuresAt < 500) return;
    this.#figuresAt = now;
    const notes = [
      `step ${this.#nSteps.toLocaleString('en')}`,
      `${this.#view.seconds.toFixed(1)} s simulated`,
    ];
    if (this.#clock.skipped > 0) notes.push(`${this.#clock.skipped.toFixed(1)} s skipped`);
    element('figures').textContent = notes.join(', ');
  }
}

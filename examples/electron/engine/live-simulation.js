// @ts-check
import { ExpSyn } from 'expsyn';

/** Synapses of the live simulation. The page draws as many channels. */
export const CHANNELS = 48;

/** Draws spikes at random and computes their currents, from where the last call has ended. */
export class LiveSimulation {
  /** @type {import('expsyn').ExpSynSession<'float32'> | undefined} */
  #session;
  #key = '';

  /**
   * @param {{ steps: number, tau: number, dt: number, rate: number }} request tau and dt in seconds; rate in
   *   spikes per second of a channel.
   * @returns spikes (Uint8Array) and currents (Float32Array), both of shape (steps, CHANNELS).
   */
  compute({ steps, tau, dt, rate }) {
    const spikes = new Uint8Array(steps * CHANNELS);
    const chance = Math.min(1, rate * dt);
    for (let i = 0; i < spikes.length; i++) spikes[i] = Math.random() < chance ? 1 : 0;
    const input = { data: spikes, shape: [steps, CHANNELS] };
    // A quarter of a second of 48 channels takes well under a millisecond, so no promise is needed.
    const { output } = this.#sessionFor(tau, dt).evolveSync(input);
    return { steps, dt, spikes, currents: output.data };
  }

  /**
   * The session with these parameters. The currents continue when a slider is moved.
   *
   * @returns {import('expsyn').ExpSynSession<'float32'>}
   */
  #sessionFor(tau, dt) {
    const key = `${tau} ${dt}`;
    if (this.#session !== undefined && key === this.#key) return this.#session;
    // The kernel is not cut, so the currents do not depend on how time is divided into calls.
    const module = new ExpSyn(CHANNELS, {
      ...{ tau: () => tau, dt, windowTaus: Infinity },
      dtype: 'float32',
    });
    const before = this.#session;
    const session = module.session(before && { isyn: before.isyn, step: before.step });
    before?.close();
    this.#session = session;
    this.#key = key;
    return session;
  }
}

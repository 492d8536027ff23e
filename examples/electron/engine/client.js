// @ts-check
/** Serves one page: reads its messages, which it does not trust, and answers them. */
import { FileRuns } from './file-runs.js';
import { LiveSimulation } from './live-simulation.js';
import { messageOf, readRun, readSteps, RequestError, shown } from './requests.js';

export class Client {
  #port;
  #live = new LiveSimulation();
  #runs;

  /**
   * @param {Electron.MessagePortMain} port The other end is in the page's preload script.
   * @param {string} folder Where outputs of runs are kept until they are saved or replaced.
   */
  constructor(port, folder) {
    this.#port = port;
    this.#runs = new FileRuns(folder, (event) => port.postMessage(event));
    port.on('message', ({ data }) => this.#receive(data));
    port.on('close', () => this.close());
    port.start();
    port.postMessage({ type: 'connected' });
  }

  /** Copies the last result to a path that the user has chosen. */
  save(path) {
    return this.#runs.save(path);
  }

  /** Ends what the page has started. */
  close() {
    this.#port.close();
    void this.#runs.close();
  }

  #receive(message) {
    try {
      switch (message?.type) {
        case 'steps':
          this.#port.postMessage({ type: 'steps', ...this.#live.compute(readSteps(message)) });
          break;
        case 'run':
          this.#runs.start(readRun(message));
          break;
        case 'cancel':
          void this.#runs.cancel();
          break;
        default:
          throw new RequestError(
            `Expected a message of type steps, run or cancel but received ${shown(message?.type)}.`,
          );
      }
    } catch (error) {
      const request = typeof message?.type === 'string' ? message.type : 'unknown';
      this.#port.postMessage({ type: 'refused', request, message: messageOf(error) });
    }
  }
}

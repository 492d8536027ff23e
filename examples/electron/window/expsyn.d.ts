/** What preload.cjs gives to the page. */
export interface ExpsynBridge {
  /** Asks for a port to the engine. All events go to the last listener. */
  connect: (onEvent: (event: EngineEvent) => void) => Promise<void>;
  /** Asks for the next steps of the live simulation; the answer is a `steps` event, or `refused`. */
  requestSteps: (request: StepsRequest) => void;
  /** Shows the open dialog. Resolves with the name of the file, or undefined if the user cancels. */
  chooseFile: () => Promise<string | undefined>;
  /** Takes a file that was dropped. Returns its name, or undefined if it is not on a disk. */
  takeFile: (file: File) => string | undefined;
  /** Computes the currents of the file that was chosen or taken last. */
  run: (request: RunRequest) => void;
  /** Ends the run that is in progress. */
  cancel: () => void;
  /** Shows the save dialog and copies the last result; then there is a `saved` or a `not-saved` event. */
  save: () => Promise<void>;
}

export interface StepsRequest {
  steps: number;
  /** Seconds. */
  tau: number;
  /** Seconds. */
  dt: number;
  /** Spikes per second of a channel. */
  rate: number;
}

export interface RunRequest {
  /** Seconds. */
  tau: number;
  /** Seconds. */
  dt: number;
  /** The unit of the times in a list of events; undefined for a raster. */
  timeUnit: '1s' | '1ms' | '1us' | undefined;
}

export type EngineEvent =
  | { type: 'connected' }
  /** The engine has ended, or the package cannot be loaded. */
  | { type: 'unavailable'; message: string }
  /** A request that is not understood, or that cannot be carried out now. */
  | { type: 'refused'; request: string; message: string }
  | StepsEvent
  | RunEvent;

/** Spikes and currents, both of shape (steps, 48). */
export interface StepsEvent {
  type: 'steps';
  steps: number;
  dt: number;
  spikes: Uint8Array;
  currents: Float32Array;
}

export type RunEvent =
  | { type: 'run-started'; name: string }
  | { type: 'progress'; share: number; secondsLeft: number | null }
  | { type: 'run-cancelled'; name: string }
  | { type: 'run-failed'; name: string; message: string; notes: string[] }
  /** `facts` are pairs of a label and a text; `picture` is the text of an SVG file. */
  | {
      type: 'run-finished';
      name: string;
      facts: [string, string][];
      notes: string[];
      picture: string;
    }
  | { type: 'saved'; name: string }
  | { type: 'not-saved'; message: string };

declare global {
  interface Window {
    expsyn: ExpsynBridge;
  }
}

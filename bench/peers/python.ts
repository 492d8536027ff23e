/** The peers in NumPy and SciPy. They run in a Python process, which measures their times itself. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export type PythonPeer =
  | 'reference'
  | 'fftconvolve'
  | 'oaconvolve'
  | 'oaconvolve_repeated'
  | 'lfilter'
  | 'lfilter_second_order'
  | 'randn';

export interface PythonRun {
  input: Float64Array | Float32Array;
  shape: readonly number[];
  tau: number;
  dt: number;
  windowLength: number;
  /** The samples of the kernel of all channels, in place of an exponential. */
  kernel?: Float64Array | Float32Array;
}

export class Python {
  #process: ChildProcessWithoutNullStreams | undefined;
  #lines: AsyncIterator<string> | undefined;
  #nRuns = 0;
  readonly #folder = mkdtempSync(join(tmpdir(), 'expsyn-bench-'));
  /** The versions of Python, NumPy and SciPy; undefined if one of them is missing. */
  versions: Record<string, string> | undefined;

  static async start(): Promise<Python> {
    const python = new Python();
    const child = spawn('python3', [join(__dirname, 'python_peers.py')], {
      // One thread, as the package is measured.
      env: { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
    });
    python.#process = child;
    child.on('error', () => undefined);
    child.stdin.on('error', () => undefined);
    python.#lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const first = await python.#lines.next();
    if (first.done !== true) {
      python.versions = JSON.parse(first.value) as Record<string, string>;
    }
    return python;
  }

  /** Gives Python the data of a run. It keeps only the latest. */
  async prepare(run: PythonRun): Promise<void> {
    const file = this.#write('input', run.input);
    const kernel = run.kernel && this.#write('kernel', run.kernel);
    this.#nRuns++;
    await this.#ask({
      id: this.#nRuns,
      run: {
        file,
        dtype: run.input instanceof Float32Array ? 'float32' : 'float64',
        shape: run.shape,
        tau: run.tau,
        dt: run.dt,
        window_length: run.windowLength,
        kernel,
      },
    });
  }

  /** Nanoseconds of one run of the peer on the prepared data. */
  async time(peer: PythonPeer): Promise<number> {
    const answer = await this.#ask({ id: this.#nRuns, peer });
    return answer['nanoseconds'] ?? NaN;
  }

  async output(peer: PythonPeer): Promise<Float64Array> {
    const save = join(this.#folder, 'output');
    await this.#ask({ id: this.#nRuns, peer, save });
    const bytes = readFileSync(save);
    return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  }

  stop(): void {
    this.#process?.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #write(name: string, { buffer, byteOffset, byteLength }: Float64Array | Float32Array): string {
    const file = join(this.#folder, name);
    writeFileSync(file, new Uint8Array(buffer, byteOffset, byteLength));
    return file;
  }

  async #ask(request: object): Promise<Record<string, number>> {
    this.#process?.stdin.write(`${JSON.stringify(request)}\n`);
    const line = await this.#lines?.next();
    if (line === undefined || line.done === true) throw new Error('The Python peers have ended.');
    return JSON.parse(line.value) as Record<string, number>;
  }
}

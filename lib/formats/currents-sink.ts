/** The interface of outputs: an array of currents that is written region by region. */
import type { Dtype, FloatArray } from '../arrays/element-types';
import type { Region } from './raster-source';

/** What an output holds. */
export interface CurrentsLayout {
  /** B, T and N. */
  shape: readonly [batches: number, timesteps: number, synapses: number];
  dtype: Dtype;
}

/** An output of shape (B, T, N). Regions may be written in any order, again, and at the same time. */
export interface CurrentsSink {
  /**
   * Writes the elements of a region, given in row-major order. The array must not change until the
   * promise settles.
   *
   * @throws CommandError that names the file and the reason, such as a full disk.
   */
  write(region: Region, data: FloatArray): Promise<void>;
  /** Makes everything written so far durable: it then survives a loss of power. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Arrays of shape (E, 2), whose rows are events: a time and a channel. */
import { CommandError } from '../../errors/command-errors';
import { formatShape } from '../../errors/checks';
import type { Elements } from '../elements';

/** @throws CommandError when a shape is another. */
export function requirePairs(shape: readonly number[], name: string): void {
  if (isPairs(shape)) return;
  throw new CommandError(
    `Expected shape (E, 2), times and channels of E events, in ${name} ` +
      `but received ${formatShape(shape)}.`,
  );
}

export function isPairs(shape: readonly number[]): boolean {
  return shape.length === 2 && shape[1] === 2;
}

/** One of the two columns of rows that lie one after the other. */
export function everySecond(rows: Elements, column: 0 | 1): Elements {
  const length = rows.length / 2;
  if (rows instanceof BigInt64Array || rows instanceof BigUint64Array) {
    const values =
      rows instanceof BigInt64Array ? new BigInt64Array(length) : new BigUint64Array(length);
    for (let index = 0; index < length; index++) values[index] = rows[2 * index + column] ?? 0n;
    return values;
  }
  const values = new Float64Array(length);
  for (let index = 0; index < length; index++) values[index] = rows[2 * index + column] ?? NaN;
  return values;
}

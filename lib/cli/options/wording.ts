/** How the command line words the messages of the library: the option `timeUnit` is `--time-unit` here. */
import { CommandError } from '../../errors/command-errors';
import { wordMessage, type Message, type OptionMention } from '../../errors/message';
import { systemError } from '../../errors/system-errors';

/** The flag of an option. */
export function flagOf(option: string): string {
  return `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function nameOption({ option, value }: OptionMention): string {
  return value === undefined ? flagOf(option) : `${flagOf(option)} ${value}`;
}

export function inWords(message: Message | string): string {
  return wordMessage(message, nameOption);
}

/** The sentence about an error that users can understand; undefined for any other error. */
export function wordError(error: unknown): string | undefined {
  const known = error instanceof CommandError ? error : systemError(error);
  return known && inWords(known.parts);
}

/** Alternatives in words: `.npy, .txt or .csv`. */
export function alternatives(words: readonly string[]): string {
  return joined(words, 'or');
}

/** A list in words: `exp, alpha and double-exp`. */
export function wordList(words: readonly string[]): string {
  return joined(words, 'and');
}

function joined(words: readonly string[], conjunction: string): string {
  return [words.slice(0, -1).join(', '), ...words.slice(-1)]
    .filter((part) => part !== '')
    .join(` ${conjunction} `);
}

/**
 * Sentences that mention options. An option is called by different names in different places, such as
 * `start` in a program and `--start` on the command line, so a message names it as data, and whoever
 * shows the message words it.
 */

/** An option by its name in programs, and the value to give it if the sentence names one. */
export interface OptionMention {
  option: string;
  value?: string;
}

/** The parts of a text. Plain data, which threads and processes can pass on. */
export type Message = readonly (string | OptionMention)[];

export function option(name: string, value?: string): OptionMention {
  return value === undefined ? { option: name } : { option: name, value };
}

/** So many names stand in a message. */
const MOST_SHOWN = 20;

/** Names in a row; of many, the first ones. */
export function listNames(names: readonly string[]): string {
  return [...names.slice(0, MOST_SHOWN), ...(names.length > MOST_SHOWN ? ['...'] : [])].join(', ');
}

/** The template tag of messages: a placeholder may be a text, a number, an option or another message. */
export function message(
  texts: TemplateStringsArray,
  ...values: (string | number | bigint | OptionMention | Message)[]
): Message {
  const parts = texts.flatMap((text, index) => {
    const value = values[index] ?? '';
    const part = typeof value === 'object' ? value : String(value);
    return [text, ...(isMessage(part) ? part : [part])];
  });
  return parts.filter((part) => part !== '');
}

function isMessage(value: string | OptionMention | Message): value is Message {
  return Array.isArray(value);
}

/** A message as a text. `nameOption` words the options, by default as programs name them. */
export function wordMessage(
  parts: Message | string,
  nameOption: (mention: OptionMention) => string = ({ option: name, value }) =>
    value === undefined ? name : `${name} '${value}'`,
): string {
  if (typeof parts === 'string') return parts;
  return parts.map((part) => (typeof part === 'string' ? part : nameOption(part))).join('');
}

/**
 * What is expected, as it stands before other words: a clause within it ends with a comma. Shapes are in
 * parentheses and have commas of their own.
 */
export function beforeWords(expected: string): string {
  return expected.replace(/\([^)]*\)/g, '').includes(', ') ? `${expected},` : expected;
}

/** Ends a sentence with advice: its full stop becomes a semicolon. */
export function addAdvice(parts: Message, advice: Message): Message {
  const last = parts.at(-1);
  const isEnded = typeof last === 'string' && last.endsWith('.');
  const sentence = isEnded ? [...parts.slice(0, -1), last.slice(0, -1)] : parts;
  return [...sentence, '; ', ...advice, '.'];
}

/** Recognises text files, such as tables of numbers, that are given in place of an array. */
import { message, option, type Message } from '../../errors/message';
import { IN_MILLISECONDS, python, type Head } from './head';

/** A number as programs write it, or what they write where there is none. */
const NUMBER = /^["']?[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?["']?$|^(nan|[-+]?inf|true|false)$/i;

/** Endings of names of text files. */
const TEXT_ENDING = /^(csv|tsv|txt)$/;

const DELIMITERS = [
  { character: '\t', argument: String.raw`, delimiter='\t'`, what: 'tabs' },
  { character: ';', argument: ", delimiter=';'", what: 'semicolons' },
  { character: ',', argument: ", delimiter=','", what: 'commas' },
  { character: ' ', argument: '', what: 'spaces' },
];

/** A number with a decimal comma. */
const COMMA_NUMBER = /^["']?[-+]?(\d+,?\d*|,\d+)(e[-+]?\d+)?["']?$/i;

/** What a text file looks like, as describeForeign() says it; undefined for anything else. */
export function describeText(head: Head): string | Message | undefined {
  const decoded = decodeText(head.bytes, head.ending);
  if (decoded === undefined) return undefined;
  const { text } = decoded;
  if (text.startsWith('version https://git-lfs.github.com/')) {
    return "looks like a pointer of Git LFS in place of the file; 'git lfs pull' fetches it";
  }
  if (/^\s*<(!doctype html|html|\?xml)/i.test(text)) {
    return 'looks like a web page or XML, such as a server sends in place of a file; fetch it again';
  }
  if (text.startsWith('%%MatrixMarket')) {
    const read = `numpy.asarray(scipy.sparse.csr_matrix(scipy.io.mmread('${head.source}')).todense())`;
    return `looks like a Matrix Market file; ${python(head, 'scipy.io, scipy.sparse', read)}`;
  }
  return (
    describeJson(head, text) ??
    describeTable(head, decoded) ??
    describeMixedTable(head, decoded) ??
    describeNamedText(head, decoded)
  );
}

/** A text, and the argument by which NumPy learns its encoding. */
interface Text {
  text: string;
  /** What decoders call the encoding. */
  label: string;
  encoding: string;
}

/** The text without a mark at its beginning; undefined for bytes that are none. */
export function decodeText(bytes: Uint8Array, ending: string): Text | undefined {
  const [label, name] = encodingOf(bytes);
  const encoding = name === '' ? '' : `, encoding='${name}'`;
  try {
    // The last character may be cut.
    const text = new TextDecoder(label, { fatal: true }).decode(bytes, { stream: true });
    return isPlain(text) ? { text, label, encoding } : undefined;
  } catch {
    const text = Buffer.from(bytes).toString('latin1');
    const isText = TEXT_ENDING.test(ending) && isPlain(text);
    return isText ? { text, label: 'latin1', encoding: ", encoding='latin1'" } : undefined;
  }
}

/** Of a text by its mark: the label of the encoding, and the name that Python needs. */
function encodingOf(bytes: Uint8Array): [label: string, name: string] {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return ['utf-16le', 'utf-16'];
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return ['utf-16be', 'utf-16'];
  return bytes[0] === 0xef && bytes[1] === 0xbb ? ['utf-8', 'utf-8-sig'] : ['utf-8', ''];
}

/** Whether a text has no control characters but those of lines. */
function isPlain(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) < 32 && !'\t\n\r\f'.includes(text.charAt(index))) return false;
  }
  return true;
}

function describeJson(head: Head, text: string): string | undefined {
  const isObject = /^\s*\{\s*("|\})/.test(text);
  const isArray = /^\s*\[\s*([[{"\]\d-]|null|true|false)/.test(text);
  if (!isObject && !isArray) return undefined;
  const load = `json.load(open('${head.source}'))`;
  return isObject
    ? `looks like JSON; ${python(head, 'json', `numpy.array(${load}['NAME'])`)}, where NAME is the member`
    : `looks like JSON; ${python(head, 'json', `numpy.array(${load})`)}`;
}

/** The lines of a text; the last one may be cut, and is left out if there are others. */
function linesOf(text: string): string[] {
  const lines = text.split(/\r\n|\n|\r/);
  return lines.length > 2 ? lines.slice(0, -1) : lines;
}

function isComment(line: string): boolean {
  return line.trim() === '' || line.startsWith('#');
}

function cellsOf(line: string, character: string): string[] {
  const cells = line.trim().split(character === ' ' ? /\s+/ : character);
  return cells.map((cell) => cell.trim());
}

/** Lines of numbers, perhaps below lines of words. */
function describeTable(head: Head, { text, encoding }: Text): string | Message | undefined {
  const lines = linesOf(text);
  for (const number of [NUMBER, COMMA_NUMBER]) {
    for (const { character, argument, what } of DELIMITERS) {
      const isComma = number === COMMA_NUMBER;
      if (isComma && character === ',') continue;
      const isRow = (line: string): boolean =>
        cellsOf(line, character).every((cell) => number.test(cell));
      const first = lines.findIndex((line) => !isComment(line) && isRow(line));
      const isUsed = first >= 0 && (lines[first] ?? '').includes(character);
      if (!isUsed && !(character === ' ' && first >= 0)) continue;
      // Words further down belong to another kind of text.
      if (!lines.slice(first).every((line) => isComment(line) || isRow(line))) continue;
      const words = lines.slice(0, first).filter((line) => !isComment(line));
      if (words.length > 1) continue;
      // NumPy counts comments among the lines that it skips.
      const skipped = words.length === 0 ? '' : `, skiprows=${first}`;
      const load = isComma
        ? `numpy.loadtxt((r.replace(',', '.') for r in open('${head.source}'${encoding}))${argument}${skipped})`
        : `numpy.loadtxt('${head.source}'${argument}${skipped}${encoding})`;
      const form = isUsed ? `numbers between ${what}` : 'a number in each line';
      const commas = isComma ? ', with decimal commas' : '';
      const save = `looks like text with ${form}${commas}; ${python(head, '', load)}`;
      const isList = cellsOf(lines[first] ?? '', character).length === 2;
      return isUsed ? orEvents(save, isList && words.length === 0) : save;
    }
  }
  return undefined;
}

/** What else a table may be: a list of events, of which `isList` says that it has nothing but two columns. */
function orEvents(save: string, isList: boolean): Message {
  return isList
    ? message`${save}, and ${option('events')} reads it as a list of times and channels`
    : message`${save}, and ${option('member', 'TIMES,CHANNELS')} with the names of two columns reads events`;
}

/** Lines of as many cells each, of which some columns hold numbers and others words. */
function describeMixedTable(head: Head, { text, encoding }: Text): string | Message | undefined {
  const lines = linesOf(text);
  const rows = lines.filter((line) => !isComment(line));
  for (const { character, argument, what } of DELIMITERS) {
    const table = rows.map((line) => cellsOf(line, character));
    const names = table[0] ?? [];
    const isTable = names.length > 1 && table.every(({ length }) => length === names.length);
    if (!isTable) continue;
    const isHeader = !names.some((name) => NUMBER.test(name));
    const data = isHeader ? table.slice(1) : table;
    if (data.length === 0) continue;
    const columns = [...names.keys()].filter((column) =>
      data.every((cells) => NUMBER.test(cells[column] ?? '')),
    );
    if (columns.length === 0) continue;
    const skipped = isHeader ? `, skiprows=${lines.indexOf(rows[0] ?? '') + 1}` : '';
    const load = (requested: readonly number[]): string =>
      `numpy.loadtxt('${head.source}'${argument}${skipped}, usecols=(${requested.join(', ')}${
        requested.length === 1 ? ',' : ''
      })${encoding})`;
    const [time, id] = [names.indexOf('timestamps'), names.indexOf('node_ids')];
    if (columns.includes(time) && columns.includes(id)) {
      const save = python(head, '', load([time, id]));
      return message`looks like spikes of SONATA as text; ${save}, to be read with ${IN_MILLISECONDS}`;
    }
    const form = `looks like text with numbers and words between ${what}`;
    return orEvents(
      `${form}; ${python(head, '', load(columns))} without its columns of words`,
      false,
    );
  }
  return undefined;
}

/** A file whose name says that it is text, whatever it holds. */
function describeNamedText(head: Head, { text, encoding }: Text): string | undefined {
  if (!TEXT_ENDING.test(head.ending)) return undefined;
  const [line = ''] = linesOf(text).filter((each) => !isComment(each));
  const { argument } = DELIMITERS.find(({ character }) => line.includes(character)) ?? {
    argument: '',
  };
  const load = `numpy.genfromtxt('${head.source}'${argument}${encoding})`;
  return `looks like text; ${python(head, '', load)}, with NaN in place of words`;
}

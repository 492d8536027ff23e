/** Recognises text files, such as tables of numbers, that are given in place of an array. */
import { python, type Head } from './head';

/** A number as programs write it, or what they write where there is none. */
const NUMBER = /^["']?[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?["']?$|^(nan|[-+]?inf|true|false)$/i;

const DELIMITERS = [
  { character: '\t', argument: String.raw`, delimiter='\t'`, what: 'tabs' },
  { character: ';', argument: ", delimiter=';'", what: 'semicolons' },
  { character: ',', argument: ", delimiter=','", what: 'commas' },
  { character: ' ', argument: '', what: 'spaces' },
];

/** What a text file looks like, as describeForeign() says it; undefined for anything else. */
export function describeText(head: Head): string | undefined {
  const text = decode(head);
  if (text === undefined) return undefined;
  if (text.startsWith('version https://git-lfs.github.com/')) {
    return "looks like a pointer of Git LFS in place of the file; 'git lfs pull' fetches it";
  }
  if (/^\s*<(!doctype html|html|\?xml)/i.test(text)) {
    return 'looks like a web page or XML, such as a server sends in place of a file; fetch it anew';
  }
  if (text.startsWith('%%MatrixMarket')) {
    const read = `numpy.asarray(scipy.sparse.csr_matrix(scipy.io.mmread('${head.source}')).todense())`;
    return `looks like a Matrix Market file; ${python(head, 'scipy.io, scipy.sparse', read)}`;
  }
  return describeJson(head, text) ?? describeTable(head, text);
}

/** The text without a mark at its beginning; undefined for bytes that are none. */
function decode({ bytes }: Head): string | undefined {
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  try {
    // The last character may be cut.
    const decoder = new TextDecoder(isUtf16 ? 'utf-16le' : 'utf-8', { fatal: true });
    const text = decoder.decode(bytes, { stream: true });
    return isPlain(text) ? text : undefined;
  } catch {
    return undefined;
  }
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

/** Lines of numbers, perhaps below lines of words. */
function describeTable(head: Head, text: string): string | undefined {
  const lines = text.split(/\r\n|\n|\r/);
  // The last line may be cut.
  const whole = lines.length > 2 ? lines.slice(0, -1) : lines;
  const isComment = (line: string): boolean => line.trim() === '' || line.startsWith('#');
  for (const { character, argument, what } of DELIMITERS) {
    const isRow = (line: string): boolean => {
      const cells = line.trim().split(character === ' ' ? /\s+/ : character);
      return cells.every((cell) => NUMBER.test(cell.trim()));
    };
    const first = whole.findIndex((line) => !isComment(line) && isRow(line));
    const isUsed = first >= 0 && (whole[first] ?? '').includes(character);
    if (!isUsed && !(character === ' ' && first >= 0)) continue;
    // Words further down belong to another kind of text.
    if (!whole.slice(first).every((line) => isComment(line) || isRow(line))) continue;
    const words = whole.slice(0, first).filter((line) => !isComment(line));
    if (words.length > 1) continue;
    // NumPy counts comments among the lines that it skips.
    const skipped = words.length === 0 ? '' : `, skiprows=${first}`;
    const encoding = head.bytes[0] === 0xff ? ", encoding='utf-16'" : utf8Mark(head);
    const options = `${argument}${skipped}${encoding}`;
    const load = `numpy.loadtxt('${head.source}'${options})`;
    const form = isUsed ? `numbers between ${what}` : 'a number in each line';
    return `looks like text with ${form}; ${python(head, '', load)}`;
  }
  return undefined;
}

function utf8Mark({ bytes }: Head): string {
  return bytes[0] === 0xef && bytes[1] === 0xbb ? ", encoding='utf-8-sig'" : '';
}

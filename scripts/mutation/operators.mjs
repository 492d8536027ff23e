/** Small changes of C++ sources, each of which a test should notice. */

/**
 * What is replaced by what. Sources are in clang-format's style, which has a space on both sides of a
 * binary operator and none within template arguments.
 */
const REPLACEMENTS = [
  [/ < /g, ' <= '],
  [/ <= /g, ' < '],
  [/ > /g, ' >= '],
  [/ >= /g, ' > '],
  [/ == /g, ' != '],
  [/ != /g, ' == '],
  [/ \+ /g, ' - '],
  [/ - /g, ' + '],
  [/ \* /g, ' + '],
  [/ \/ /g, ' * '],
  [/ % /g, ' + '],
  [/ && /g, ' || '],
  [/ \|\| /g, ' && '],
  [/ \+= /g, ' -= '],
  [/ -= /g, ' += '],
  [/\+\+(?=\w)/g, '--'],
  [/--(?=\w)/g, '++'],
  [/(?<=[\s(])!(?=[\w(])/g, ''],
  [/\btrue\b/g, 'false'],
  [/\bfalse\b/g, 'true'],
  [/\bstd::min\b/g, 'std::max'],
  [/\bstd::max\b/g, 'std::min'],
];

/** A whole number that stands alone: no part of a name, a fraction, or a hexadecimal number. */
const NUMBER = /(?<![\w.'])\d+(?![\w.'])/g;

/** A line that is a call or an assignment, and nothing is declared by it. */
const STATEMENT =
  /^\s+(?!return\b|throw\b|delete\b|using\b|break\b|continue\b|goto\b)[\w.:>()[\]*+-]+(?:\(.*\)| [-+*]?= .*);$/;
const DECLARATION = /^\s+(?:const |static |auto |std::\w+ |[A-Z]\w*(?:<.*>)? \w+ ?[={(])/;

/** The first line of the body of a function that returns nothing. */
const VOID_FUNCTION =
  /^\s*(?:static )?void (?:\w+::)*\w+(?:<.*>::\w+)?\([^;]*\) (?:const )?(?:noexcept )?\{$/;

/**
 * The changes of a source, in their order: { file, line, from, to, apply }, where `apply` makes the
 * changed source.
 */
export function mutationsOf(file, source) {
  const mutations = [];
  const lines = source.split('\n');
  const masked = mask(source).split('\n');
  masked.forEach((code, index) => {
    if (/^\s*#|^\s*(?:template|static_assert|namespace|using)\b/.test(code)) return;
    const add = (start, end, to, what) => {
      const line = lines[index];
      const changed = line.slice(0, start) + to + line.slice(end);
      mutations.push({
        file,
        line: index + 1,
        what,
        from: line.trim(),
        to: changed.trim(),
        apply: () => lines.with(index, changed).join('\n'),
      });
    };
    for (const [pattern, to] of REPLACEMENTS) {
      for (const { index: at, 0: from } of code.matchAll(pattern)) {
        add(at, at + from.length, to, `${from.trim()} to ${to.trim() || 'nothing'}`);
      }
    }
    for (const { index: at, 0: from } of code.matchAll(NUMBER)) {
      add(at, at + from.length, String(Number(from) + 1), `${from} + 1`);
    }
    const condition = conditionOf(code);
    if (condition !== undefined) {
      const [start, end] = condition;
      add(start, end, `!(${lines[index].slice(start, end)})`, 'condition negated');
    }
    if (STATEMENT.test(code) && !DECLARATION.test(code)) {
      add(0, code.length, '', 'statement removed');
    }
    if (VOID_FUNCTION.test(code)) {
      add(code.length, code.length, ' if (true) return;', 'function emptied');
    }
  });
  return mutations;
}

/** The source with blanks for comments and the text of literals, so that positions stay the same. */
function mask(source) {
  return source.replace(
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])'/g,
    (text) => text.replace(/[^\n]/g, '_'),
  );
}

/** The range of the condition of an if or while, if it begins and ends on this line. */
function conditionOf(code) {
  const start = /\b(?:if|while) \(/.exec(code);
  if (start === null) return undefined;
  const first = start.index + start[0].length;
  for (let at = first, depth = 1; at < code.length; at++) {
    if (code[at] === '(') depth++;
    if (code[at] === ')' && --depth === 0) return [first, at];
  }
  return undefined;
}

/** A copy in random order, which is the same for the same seed on every machine. */
export function shuffle(items, seed) {
  const shuffled = [...items];
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
  }
  return shuffled;
}

/** The text of a member of a JSON document, which may have more digits than a parsed number. */

/**
 * The text of the value of a member of an object: a number, a word or a string.
 *
 * @param text A document that JSON.parse() reads as an object.
 * @returns That of the last such member, which is the one that JSON.parse() takes; undefined when there
 *   is none, or when its value is a list or an object.
 */
export function sourceOf(text: string, member: string): string | undefined {
  let depth = 0;
  let name: unknown;
  let isValue = false;
  let found: string | undefined;
  for (let at = 0; at < text.length;) {
    const end = endOfToken(text, at);
    const token = text.slice(at, end);
    at = end;
    if (token === '{' || token === '[') {
      if (depth === 1 && name === member) found = undefined;
      depth += 1;
    } else if (token === '}' || token === ']') depth -= 1;
    else if (depth !== 1 || token.trim() === '') continue;
    else if (token === ':') isValue = true;
    else if (token === ',') isValue = false;
    else if (!isValue) name = JSON.parse(token);
    else if (name === member) found = token;
  }
  return found;
}

const PUNCTUATION = '{}[]:,';
const SPACE = ' \t\n\r';

/** Where a token ends: a sign, a string, blanks, or a number or word. */
function endOfToken(text: string, begin: number): number {
  const first = text.charAt(begin);
  let end = begin + 1;
  if (PUNCTUATION.includes(first)) return end;
  if (first === '"') {
    while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
    return end + 1;
  }
  const isBlank = SPACE.includes(first);
  while (end < text.length && isBlank === SPACE.includes(text.charAt(end))) {
    if (!isBlank && (PUNCTUATION + '"').includes(text.charAt(end))) break;
    end += 1;
  }
  return end;
}

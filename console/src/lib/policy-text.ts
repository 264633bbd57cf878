// Counts characters and finds positions in a policy document, by the rules of IAM.

/** The characters that count against a quota: white space between tokens does not. */
export function quotaSize(text: string): number {
  let quoted = false;
  let escaped = false;
  let count = 0;
  for (const char of text) {
    if (quoted) {
      count += 1;
      quoted = escaped || char !== '"';
      escaped = !escaped && char === '\\';
    } else if (!' \t\n\r'.includes(char)) {
      count += 1;
      quoted = char === '"';
    }
  }
  return count;
}

/** An offset in characters, as the service counts, as an offset in UTF-16 code units. */
export function codeUnitOffset(text: string, characters: number): number {
  let at = 0;
  let left = characters;
  for (const char of text) {
    if (left <= 0) break;
    at += char.length;
    left -= 1;
  }
  return at;
}

/** The offset of a line and a column, both from 1, the column in characters. */
export function offsetOf(text: string, line: number, column: number): number {
  let from = 0;
  for (let at = 1; at < line; at += 1) {
    const end = text.indexOf('\n', from);
    if (end < 0) return text.length;
    from = end + 1;
  }
  return from + codeUnitOffset(text.slice(from), column - 1);
}

/** The line of an offset, from 1. */
export const lineAt = (text: string, offset: number): number =>
  text.slice(0, offset).split('\n').length;

interface Position {
  line: number;
  column: number;
}

/** A position of a simulation; the start of the document where it is not given. */
export const positionOf = (
  position: { Line?: number | undefined; Column?: number | undefined } = {},
): Position => ({ line: position.Line ?? 1, column: position.Column ?? 1 });

/**
 * The text of a statement between the positions of a simulation: those of the parser before it
 * (after the bracket or the previous statement, or after its own brace) and after its end.
 */
export function statementText(text: string, start: Position, end: Position): string {
  let from = offsetOf(text, start.line, start.column);
  const till = offsetOf(text, end.line, end.column);
  if (text.charAt(from - 1) === '{') from -= 1;
  else from = text.indexOf('{', from);
  return from < 0 ? '' : dedented(text.slice(from, till), text.slice(0, from));
}

/** Removes the indentation of the first line from all lines. */
function dedented(text: string, before: string): string {
  const indent = /[ \t]*$/.exec(before)?.[0].length ?? 0;
  const lines = text.split('\n');
  const free = lines.slice(1).every((line) => line.slice(0, indent).trim() === '');
  return free ? lines.map((line, at) => (at === 0 ? line : line.slice(indent))).join('\n') : text;
}

/** Indented by four spaces, as in AWS's editor; text that is not JSON is unchanged. */
export function formatted(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 4);
  } catch {
    return text;
  }
}

/** A document on one line is indented; any other is displayed as it was written. */
export const displayText = (text: string): string => (text.includes('\n') ? text : formatted(text));

/** The initial document of a new policy. */
export const NEW_POLICY = formatted(
  '{"Version":"2012-10-17","Statement":[{"Sid":"Statement1","Effect":"Allow","Action":[],"Resource":[]}]}',
);

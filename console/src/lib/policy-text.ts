// Counting and finding in a policy's text, by the rules of IAM.

/** The characters that count against a quota: white space between tokens is free. */
export function size(text: string): number {
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

/** An offset in characters, as the service counts, as one in a string's units. */
export function unit(text: string, characters: number): number {
  let at = 0;
  let left = characters;
  for (const char of text) {
    if (left <= 0) break;
    at += char.length;
    left -= 1;
  }
  return at;
}

/** The place of a line and a column, both from 1, the column in characters. */
export function place(text: string, line: number, column: number): number {
  let from = 0;
  for (let at = 1; at < line; at += 1) {
    const end = text.indexOf('\n', from);
    if (end < 0) return text.length;
    from = end + 1;
  }
  return from + unit(text.slice(from), column - 1);
}

/** The line of a place, from 1. */
export const lineOf = (text: string, at: number): number => text.slice(0, at).split('\n').length;

export interface Position {
  line: number;
  column: number;
}

/**
 * The text of a statement by the places that a simulation tells: where a parser stands before it
 * (behind the bracket or the statement before, or behind its own brace) and behind its end.
 */
export function statement(text: string, start: Position, end: Position): string {
  let from = place(text, start.line, start.column);
  const till = place(text, end.line, end.column);
  if (text.charAt(from - 1) === '{') from -= 1;
  else from = text.indexOf('{', from);
  return from < 0 ? '' : outdented(text.slice(from, till), text.slice(0, from));
}

/** Lines moved left as far as the first one stood to the right. */
function outdented(text: string, before: string): string {
  const indent = /[ \t]*$/.exec(before)?.[0].length ?? 0;
  const lines = text.split('\n');
  const free = lines.slice(1).every((line) => line.slice(0, indent).trim() === '');
  return free ? lines.map((line, at) => (at === 0 ? line : line.slice(indent))).join('\n') : text;
}

/** Indented by four spaces, as AWS's editor does; what is no JSON is left alone. */
export function formatted(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 4);
  } catch {
    return text;
  }
}

/** A text on one line is shown indented; any other as it was written. */
export const shown = (text: string): string => (text.includes('\n') ? text : formatted(text));

/** What a new policy begins with. */
export const SKELETON = formatted(
  '{"Version":"2012-10-17","Statement":[{"Sid":"Statement1","Effect":"Allow","Action":[],"Resource":[]}]}',
);

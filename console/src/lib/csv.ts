// Comma-separated values, read and written as RFC 4180 says.

/** One line of a file; what has a comma, a quote or a line end is quoted. */
export function line(values: readonly string[]): string {
  return values
    .map((value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value))
    .join(',');
}

/** Rows by the names of the first line. */
export function rows(text: string): Record<string, string>[] {
  const [names, ...values] = cells(text);
  if (!names) return [];
  return values.map((row) => Object.fromEntries(names.map((name, at) => [name, row[at] ?? ''])));
}

function cells(text: string): string[][] {
  const all: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let quoted = false;
  const endCell = (): void => {
    row.push(cell);
    cell = '';
  };
  const endRow = (): void => {
    endCell();
    if (row.length > 1 || row[0] !== '') all.push(row);
    row = [];
  };
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (quoted) {
      if (char !== '"') cell += char;
      else if (text.charAt(at + 1) === '"') {
        cell += '"';
        at += 1;
      } else quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === ',') endCell();
    else if (char === '\n') endRow();
    else if (char !== '\r') cell += char;
  }
  endRow();
  return all;
}

// A policy document with line numbers and marks, to be edited or read.
//
// It is a plain text field, so that keyboards, screen readers and undo work as everywhere; Tab
// leaves it. The line numbers and the marks behind it are hidden from screen readers.
import './editor.css';

import { useRef, type KeyboardEvent, type Ref } from 'react';

export interface Mark {
  start: number;
  end: number;
  kind: 'error' | 'risk' | 'suggestion';
  line: number;
}

const LINE = 20;
const PADDING = 16;
const [HEIGHT_MIN, HEIGHT_MAX] = [180, 480];

interface EditorProps {
  text: string;
  label: string;
  /** Absent: the document is read-only. */
  set?: (text: string) => void;
  marks?: readonly Mark[];
  placeholder?: string;
  field?: Ref<HTMLTextAreaElement>;
  onCaret?: (offset: number) => void;
}

const SEVERITY = { error: 0, risk: 1, suggestion: 2 };

/** The most severe mark of each line. */
function marksByLine(marks: readonly Mark[]): Map<number, Mark['kind']> {
  const worst = new Map<number, Mark['kind']>();
  for (const { line, kind } of marks) {
    const known = worst.get(line);
    if (!known || SEVERITY[kind] < SEVERITY[known]) worst.set(line, kind);
  }
  return worst;
}

export function Editor({
  text,
  label,
  set,
  marks = [],
  placeholder,
  field,
  onCaret: onPlace,
}: EditorProps) {
  const numbers = useRef<HTMLDivElement>(null);
  const background = useRef<HTMLPreElement>(null);
  const lines = text.split('\n').length;
  const worst = marksByLine(marks);
  const height = Math.min(HEIGHT_MAX, Math.max(set ? HEIGHT_MIN : 0, lines * LINE + PADDING + 16));
  const syncScroll = (field: HTMLTextAreaElement): void => {
    if (numbers.current) numbers.current.scrollTop = field.scrollTop;
    if (background.current) background.current.scrollTo(field.scrollLeft, field.scrollTop);
  };
  return (
    <div className="policy-editor">
      <div className="policy-editor-numbers" ref={numbers} style={{ height }} aria-hidden="true">
        {Array.from({ length: lines }, (_, index) => (
          <div
            key={index}
            className={worst.has(index + 1) ? `at-${worst.get(index + 1) ?? ''}` : ''}
          >
            {index + 1}
          </div>
        ))}
      </div>
      <div className="policy-editor-page" style={{ height }}>
        <pre className="policy-editor-marks" ref={background} aria-hidden="true">
          {markedText(text, marks)}
        </pre>
        <textarea
          className="policy-editor-text"
          ref={field}
          aria-label={label}
          value={text}
          readOnly={!set}
          wrap="off"
          spellCheck={false}
          autoCapitalize="off"
          autoComplete="off"
          placeholder={placeholder}
          onChange={(event) => set?.(event.target.value)}
          onKeyDown={set && indentNewLine}
          onScroll={(event) => syncScroll(event.currentTarget)}
          onSelect={(event) => onPlace?.(event.currentTarget.selectionStart)}
        />
      </div>
    </div>
  );
}

/** The text, with an element for each mark. */
function markedText(text: string, marks: readonly Mark[]) {
  const pieces: React.ReactNode[] = [];
  let offset = 0;
  for (const { start, end, kind } of [...marks].sort((a, b) => a.start - b.start)) {
    // A mark of the whole document would only be noise.
    if (start < offset || end <= start || (start === 0 && end >= text.length)) continue;
    pieces.push(text.slice(offset, start));
    pieces.push(
      <mark key={start} className={`at-${kind}`}>
        {text.slice(start, end)}
      </mark>,
    );
    offset = end;
  }
  // An empty last line has a height only with something after it.
  return [...pieces, text.slice(offset), '\n'];
}

/** Indents a new line like the one before, and more after a bracket. */
function indentNewLine(event: KeyboardEvent<HTMLTextAreaElement>): void {
  if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
  const { value, selectionStart } = event.currentTarget;
  const line = value.slice(value.lastIndexOf('\n', selectionStart - 1) + 1, selectionStart);
  const indent = /^[ \t]*/.exec(line)?.[0] ?? '';
  const extra = /[[{]\s*$/.test(line) ? '    ' : '';
  event.preventDefault();
  // The only way to insert text that the browser can undo.
  document.execCommand('insertText', false, `\n${indent}${extra}`);
}

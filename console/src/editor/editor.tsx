// A policy's text with line numbers and marks: written or only read.
//
// The text is a plain text field, so that keyboards, screen readers and undo work as everywhere;
// Tab leaves it. The numbers and the marks behind it are for the eye only.
import './editor.css';

import { useRef, type KeyboardEvent, type Ref } from 'react';

export interface Mark {
  start: number;
  end: number;
  kind: 'error' | 'risk' | 'advice';
  line: number;
}

const LINE = 20;
const PADDING = 16;
const [LEAST, MOST] = [180, 480];

interface EditorProps {
  text: string;
  label: string;
  /** Absent: the text is only read. */
  set?: (text: string) => void;
  marks?: readonly Mark[];
  placeholder?: string;
  field?: Ref<HTMLTextAreaElement>;
  onPlace?: (at: number) => void;
}

const WORST = { error: 0, risk: 1, advice: 2 };

/** The worst mark of each line. */
function byLine(marks: readonly Mark[]): Map<number, Mark['kind']> {
  const worst = new Map<number, Mark['kind']>();
  for (const { line, kind } of marks) {
    const known = worst.get(line);
    if (!known || WORST[kind] < WORST[known]) worst.set(line, kind);
  }
  return worst;
}

export function Editor({ text, label, set, marks = [], placeholder, field, onPlace }: EditorProps) {
  const numbers = useRef<HTMLDivElement>(null);
  const behind = useRef<HTMLPreElement>(null);
  const lines = text.split('\n').length;
  const worst = byLine(marks);
  const height = Math.min(MOST, Math.max(set ? LEAST : 0, lines * LINE + PADDING + 16));
  const scrolled = (to: HTMLTextAreaElement): void => {
    if (numbers.current) numbers.current.scrollTop = to.scrollTop;
    if (behind.current) behind.current.scrollTo(to.scrollLeft, to.scrollTop);
  };
  return (
    <div className="policy-editor">
      <div className="policy-editor-numbers" ref={numbers} style={{ height }} aria-hidden="true">
        {Array.from({ length: lines }, (_, at) => (
          <div key={at} className={worst.has(at + 1) ? `at-${worst.get(at + 1) ?? ''}` : ''}>
            {at + 1}
          </div>
        ))}
      </div>
      <div className="policy-editor-page" style={{ height }}>
        <pre className="policy-editor-marks" ref={behind} aria-hidden="true">
          {marked(text, marks)}
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
          onKeyDown={set && keepIndent}
          onScroll={(event) => scrolled(event.currentTarget)}
          onSelect={(event) => onPlace?.(event.currentTarget.selectionStart)}
        />
      </div>
    </div>
  );
}

/** The text in pieces, with what is marked in elements of their own. */
function marked(text: string, marks: readonly Mark[]) {
  const pieces: React.ReactNode[] = [];
  let at = 0;
  for (const { start, end, kind } of [...marks].sort((a, b) => a.start - b.start)) {
    // A mark about everything would only be noise behind the text.
    if (start < at || end <= start || (start === 0 && end >= text.length)) continue;
    pieces.push(text.slice(at, start));
    pieces.push(
      <mark key={start} className={`at-${kind}`}>
        {text.slice(start, end)}
      </mark>,
    );
    at = end;
  }
  // A last line that is empty has a height only with something after it.
  return [...pieces, text.slice(at), '\n'];
}

/** A new line begins where the one before began, and deeper behind a bracket. */
function keepIndent(event: KeyboardEvent<HTMLTextAreaElement>): void {
  if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
  const { value, selectionStart } = event.currentTarget;
  const line = value.slice(value.lastIndexOf('\n', selectionStart - 1) + 1, selectionStart);
  const indent = /^[ \t]*/.exec(line)?.[0] ?? '';
  const deeper = /[[{]\s*$/.test(line) ? '    ' : '';
  event.preventDefault();
  // The only way to insert that the browser can undo.
  document.execCommand('insertText', false, `\n${indent}${deeper}`);
}

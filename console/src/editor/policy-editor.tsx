// Writing a policy: the editor, what the service says of the text, and how much room is left.
//
// The one rule: what it says comes from the service alone (`ValidatePolicy`), by the rules that the
// service refuses or evaluates by.
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import SegmentedControl from '@cloudscape-design/components/segmented-control';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator, {
  type StatusIndicatorProps,
} from '@cloudscape-design/components/status-indicator';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useRef, useState } from 'react';

import { validate, type Finding, type FindingType, type Kind } from '../api/policy';
import { text as said, title } from '../frame/problem';
import { formatted, lineOf, size, unit } from '../lib/policy-text';
import { useSettled } from '../lib/settled';
import { Editor, type Mark } from './editor';

const TYPES: readonly {
  type: FindingType;
  label: string;
  mark: Mark['kind'];
  status: StatusIndicatorProps.Type;
}[] = [
  { type: 'ERROR', label: 'Errors', mark: 'error', status: 'error' },
  { type: 'SECURITY_WARNING', label: 'Security', mark: 'risk', status: 'warning' },
  { type: 'WARNING', label: 'Warnings', mark: 'risk', status: 'warning' },
  { type: 'SUGGESTION', label: 'Suggestions', mark: 'advice', status: 'info' },
];
export interface Room {
  /** Characters that are allowed. */
  limit: number;
  /** Characters that other policies of the same owner take of them. */
  taken?: number;
  /** White space counts too. */
  everything?: boolean;
}

/** How many characters are left of the quota. */
export function remaining(text: string, { limit, taken = 0, everything }: Room): number {
  return limit - taken - (everything ? new TextEncoder().encode(text).length : size(text));
}

export function PolicyEditor(props: {
  text: string;
  set: (text: string) => void;
  kind: Kind;
  room: Room;
  label?: string;
  placeholder?: string;
}) {
  const { text, set, kind, room, label = 'Policy document' } = props;
  const field = useRef<HTMLTextAreaElement>(null);
  const [at, setAt] = useState(0);
  const settled = useSettled(text);
  const advice = useQuery({
    queryKey: ['advice', kind, settled],
    queryFn: () => validate(settled, kind),
    enabled: settled.trim() !== '',
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    gcTime: 60_000,
  });
  // Findings about a text that has changed since would point at the wrong place.
  const findings = settled === text && settled.trim() !== '' ? (advice.data ?? []) : [];
  const marks = findings.map((finding): Mark => ({
    start: unit(text, finding.start),
    end: unit(text, finding.end),
    line: finding.line,
    kind: TYPES.find(({ type }) => type === finding.type)?.mark ?? 'advice',
  }));
  const jump = (finding: Finding): void => {
    const box = field.current;
    if (!box) return;
    box.focus();
    box.setSelectionRange(unit(text, finding.start), unit(text, finding.end));
    box.scrollTop = Math.max(0, (finding.line - 4) * 20);
  };
  const left = remaining(text, room);
  const line = lineOf(text, at);
  const column = [...text.slice(text.lastIndexOf('\n', at - 1) + 1, at)].length + 1;
  return (
    <SpaceBetween size="s">
      <Editor
        text={text}
        set={set}
        label={label}
        marks={marks}
        field={field}
        onPlace={setAt}
        {...(props.placeholder ? { placeholder: props.placeholder } : {})}
      />
      <SpaceBetween direction="horizontal" size="m" alignItems="center">
        <Box color="text-body-secondary">
          Line {line}, column {column}
        </Box>
        <Box color={left < 0 ? 'text-status-error' : 'text-body-secondary'}>
          {left.toLocaleString('en')} of {room.limit.toLocaleString('en')}{' '}
          {room.everything ? 'bytes' : 'characters'} remaining
        </Box>
        <Button variant="inline-link" onClick={() => set(formatted(text))}>
          Format document
        </Button>
      </SpaceBetween>
      {advice.error ? (
        <StatusIndicator type="info">
          The text is not checked while you write: {title(advice.error)}. {said(advice.error)}
        </StatusIndicator>
      ) : (
        <Findings
          findings={findings}
          pending={advice.isFetching || settled !== text}
          empty={text.trim() === ''}
          jump={jump}
        />
      )}
    </SpaceBetween>
  );
}

/** What was found, by kind. */
function Findings(props: {
  findings: readonly Finding[];
  pending: boolean;
  empty: boolean;
  jump: (finding: Finding) => void;
}) {
  const { findings, pending, jump } = props;
  const [chosen, choose] = useState<FindingType>();
  const count = (of: FindingType): number => findings.filter(({ type }) => type === of).length;
  // The worst kind that there is, until one is chosen.
  const shown =
    chosen ?? TYPES.find(({ type }) => count(type) > 0)?.type ?? TYPES[0]?.type ?? 'ERROR';
  const listed = findings.filter(({ type }) => type === shown);
  const status = TYPES.find(({ type }) => type === shown)?.status ?? 'info';
  const summary = TYPES.map(({ type, label }) => `${label}: ${String(count(type))}`);
  return (
    <SpaceBetween size="xs">
      <SegmentedControl
        label="Findings by kind"
        selectedId={shown}
        options={TYPES.map(({ type }, at) => ({ id: type, text: summary[at] ?? '' }))}
        onChange={({ detail }) => choose(detail.selectedId as FindingType)}
      />
      <div role="status">
        {pending ? (
          <StatusIndicator type="loading">Checking</StatusIndicator>
        ) : (
          findings.length === 0 &&
          !props.empty && <StatusIndicator type="success">Nothing was found.</StatusIndicator>
        )}
      </div>
      {listed.length > 0 && (
        <ul className="policy-editor-findings" aria-label="Findings" tabIndex={0}>
          {listed.map((finding) => (
            <li key={`${finding.code} ${String(finding.start)} ${finding.message}`}>
              <SpaceBetween direction="horizontal" size="xs" alignItems="start">
                <StatusIndicator type={status} />
                <Button variant="inline-link" onClick={() => jump(finding)}>
                  Line {finding.line}, column {finding.column}
                </Button>
                <div>
                  {finding.message}
                  {finding.hint && (
                    <Box color="text-body-secondary" fontSize="body-s">
                      {finding.hint}
                    </Box>
                  )}
                </div>
              </SpaceBetween>
            </li>
          ))}
        </ul>
      )}
    </SpaceBetween>
  );
}

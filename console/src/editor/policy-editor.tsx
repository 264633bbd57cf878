// The editor of a policy, with the service's findings and the characters that remain.
//
// Findings come from the service alone (`ValidatePolicy`): the rules are those by which it rejects
// and evaluates policies.
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import SegmentedControl from '@cloudscape-design/components/segmented-control';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator, {
  type StatusIndicatorProps,
} from '@cloudscape-design/components/status-indicator';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useRef, useState } from 'react';

import { validatePolicy, type PolicyFinding, type PolicyKind } from '../api/policy';
import { errorText, errorTitle } from '../frame/error-alert';
import { formatted, lineAt, quotaSize, codeUnitOffset } from '../lib/policy-text';
import { useDebounced } from '../lib/debounce';
import { Editor, type Mark } from './editor';

type FindingType = PolicyFinding['FindingType'];

const TYPES: readonly {
  type: FindingType;
  label: string;
  mark: Mark['kind'];
  status: StatusIndicatorProps.Type;
}[] = [
  { type: 'ERROR', label: 'Errors', mark: 'error', status: 'error' },
  { type: 'SECURITY_WARNING', label: 'Security', mark: 'risk', status: 'warning' },
  { type: 'WARNING', label: 'Warnings', mark: 'risk', status: 'warning' },
  { type: 'SUGGESTION', label: 'Suggestions', mark: 'suggestion', status: 'info' },
];
export interface PolicyQuota {
  /** The characters that are allowed. */
  limit: number;
  /** Characters of other policies that count against the same quota. */
  used?: number;
  /** White space counts as well. */
  countsWhitespace?: boolean;
}

/** The characters that remain of the quota. */
export function remaining(
  text: string,
  { limit, used = 0, countsWhitespace }: PolicyQuota,
): number {
  return (
    limit - used - (countsWhitespace ? new TextEncoder().encode(text).length : quotaSize(text))
  );
}

export function PolicyEditor(props: {
  text: string;
  set: (text: string) => void;
  kind: PolicyKind;
  quota: PolicyQuota;
  label?: string;
  placeholder?: string;
}) {
  const { text, set, kind, quota, label = 'Policy document' } = props;
  const field = useRef<HTMLTextAreaElement>(null);
  const [caret, setCaret] = useState(0);
  const debounced = useDebounced(text);
  const validation = useQuery({
    queryKey: ['validation', kind, debounced],
    queryFn: () => validatePolicy(debounced, kind),
    enabled: debounced.trim() !== '',
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    gcTime: 60_000,
  });
  // Findings about an earlier text would point at the wrong offsets.
  const findings = debounced === text && debounced.trim() !== '' ? (validation.data ?? []) : [];
  const marks = findings.map((finding): Mark => ({
    start: codeUnitOffset(text, finding.StartOffset),
    end: codeUnitOffset(text, finding.EndOffset),
    line: finding.StartLine,
    kind: TYPES.find(({ type }) => type === finding.FindingType)?.mark ?? 'suggestion',
  }));
  const jump = (finding: PolicyFinding): void => {
    const box = field.current;
    if (!box) return;
    box.focus();
    box.setSelectionRange(
      codeUnitOffset(text, finding.StartOffset),
      codeUnitOffset(text, finding.EndOffset),
    );
    box.scrollTop = Math.max(0, (finding.StartLine - 4) * 20);
  };
  const left = remaining(text, quota);
  const line = lineAt(text, caret);
  const column = [...text.slice(text.lastIndexOf('\n', caret - 1) + 1, caret)].length + 1;
  return (
    <SpaceBetween size="s">
      <Editor
        text={text}
        set={set}
        label={label}
        marks={marks}
        field={field}
        onCaret={setCaret}
        {...(props.placeholder ? { placeholder: props.placeholder } : {})}
      />
      <SpaceBetween direction="horizontal" size="m" alignItems="center">
        <Box color="text-body-secondary">
          Line {line}, column {column}
        </Box>
        <Box color={left < 0 ? 'text-status-error' : 'text-body-secondary'}>
          {left.toLocaleString('en')} of {quota.limit.toLocaleString('en')}{' '}
          {quota.countsWhitespace ? 'bytes' : 'characters'} remaining
        </Box>
        <Button variant="inline-link" onClick={() => set(formatted(text))}>
          Format document
        </Button>
      </SpaceBetween>
      {validation.error ? (
        <StatusIndicator type="info">
          The policy isn&apos;t validated: {errorTitle(validation.error)}.{' '}
          {errorText(validation.error)}
        </StatusIndicator>
      ) : (
        <Findings
          findings={findings}
          pending={validation.isFetching || debounced !== text}
          empty={text.trim() === ''}
          jump={jump}
        />
      )}
    </SpaceBetween>
  );
}

/** The findings, by type. */
function Findings(props: {
  findings: readonly PolicyFinding[];
  pending: boolean;
  empty: boolean;
  jump: (finding: PolicyFinding) => void;
}) {
  const { findings, pending, jump } = props;
  const [selected, setSelected] = useState<FindingType>();
  const count = (of: FindingType): number =>
    findings.filter(({ FindingType }) => FindingType === of).length;
  // The most severe type that was found, until one is selected.
  const visible =
    selected ?? TYPES.find(({ type }) => count(type) > 0)?.type ?? TYPES[0]?.type ?? 'ERROR';
  const listed = findings.filter(({ FindingType }) => FindingType === visible);
  const status = TYPES.find(({ type }) => type === visible)?.status ?? 'info';
  const summary = TYPES.map(({ type, label }) => `${label}: ${String(count(type))}`);
  return (
    <SpaceBetween size="xs">
      <SegmentedControl
        label="Findings by type"
        selectedId={visible}
        options={TYPES.map(({ type }, index) => ({ id: type, text: summary[index] ?? '' }))}
        onChange={({ detail }) => setSelected(detail.selectedId as FindingType)}
      />
      <div role="status">
        {pending ? (
          <StatusIndicator type="loading">Validating</StatusIndicator>
        ) : (
          findings.length === 0 &&
          !props.empty && <StatusIndicator type="success">No findings</StatusIndicator>
        )}
      </div>
      {listed.length > 0 && (
        <ul className="policy-editor-findings" aria-label="Findings" tabIndex={0}>
          {listed.map((finding) => (
            <li key={`${finding.IssueCode} ${String(finding.StartOffset)} ${finding.Message}`}>
              <SpaceBetween direction="horizontal" size="xs" alignItems="start">
                <StatusIndicator type={status} />
                <Button variant="inline-link" onClick={() => jump(finding)}>
                  Line {finding.StartLine}, column {finding.StartColumn}
                </Button>
                <div>
                  {finding.Message}
                  {finding.Hint && (
                    <Box color="text-body-secondary" fontSize="body-s">
                      {finding.Hint}
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

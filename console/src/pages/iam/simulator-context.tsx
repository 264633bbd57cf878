// The context keys that the policies of a simulation ask for, and the values to suppose.
import Box from '@cloudscape-design/components/box';
import Input from '@cloudscape-design/components/input';
import Select from '@cloudscape-design/components/select';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import FormField from '@cloudscape-design/components/form-field';
import Table from '@cloudscape-design/components/table';
import { useQuery } from '@tanstack/react-query';

import { contextKeys, type ContextEntry, type Source } from '../../api/policy';
import { Problem } from '../../frame/problem';

/** What is supposed of each key: its type and its values, separated by commas where it is a list. */
export type Values = Readonly<Record<string, { type: string; text: string }>>;

const TYPES = [
  'string',
  'stringList',
  'numeric',
  'numericList',
  'boolean',
  'booleanList',
  'ip',
  'ipList',
  'binary',
  'binaryList',
  'date',
  'dateList',
].map((value) => ({ value, label: value }));

/** The type that a key's value most likely has. */
function typeOf(key: string): string {
  const name = key.toLowerCase();
  if (/sourceip$|vpcsourceip$/.test(name)) return 'ip';
  if (/time$|date$/.test(name) && !name.includes('epoch')) return 'date';
  if (/^aws:(securetransport|multifactorauthpresent|viaawsservice)$/.test(name)) return 'boolean';
  if (/(age|max-keys|epochtime|contentlength)$/.test(name)) return 'numeric';
  return /(tagkeys|principalorgpaths)$/.test(name) ? 'stringList' : 'string';
}

/** The keys that have a value, as the service takes them. */
export function entries(values: Values): ContextEntry[] {
  return Object.entries(values)
    .filter(([, { text }]) => text.trim() !== '')
    .map(([key, { type, text }]) => ({
      key,
      type,
      values: type.endsWith('List') ? text.split(',').map((value) => value.trim()) : [text.trim()],
    }));
}

export function ContextKeys(props: {
  source: Source;
  values: Values;
  set: (values: Values) => void;
}) {
  const { source, values, set } = props;
  const keys = useQuery({
    queryKey: ['context-keys', source],
    queryFn: () => contextKeys(source),
    gcTime: 0,
  });
  // A text that is being written is no policy most of the time; running it says what is wrong.
  if (keys.error) {
    return 'arn' in source ? (
      <Problem error={keys.error} />
    ) : (
      <StatusIndicator type="info">The text is not a policy yet.</StatusIndicator>
    );
  }
  const of = (key: string) => values[key] ?? { type: typeOf(key), text: '' };
  return (
    <FormField
      label="Context keys"
      description="What the conditions of these policies look at. A key without a value is missing from the request."
      stretch
    >
      <Table
        variant="embedded"
        items={keys.data ?? []}
        trackBy={(key) => key}
        loading={keys.isPending}
        loadingText="Loading"
        empty={<Box textAlign="center">The policies have no conditions on keys.</Box>}
        ariaLabels={{ tableLabel: 'Context keys', selectionGroupLabel: 'Context keys' }}
        columnDefinitions={[
          { id: 'key', header: 'Key', cell: (key) => key, isRowHeader: true },
          {
            id: 'type',
            header: 'Type',
            cell: (key) => (
              <Select
                selectedOption={{ value: of(key).type, label: of(key).type }}
                options={TYPES}
                ariaLabel={`Type of ${key}`}
                onChange={({ detail }) =>
                  set({
                    ...values,
                    [key]: { ...of(key), type: detail.selectedOption.value ?? 'string' },
                  })
                }
              />
            ),
          },
          {
            id: 'value',
            header: 'Value',
            cell: (key) => (
              <Input
                value={of(key).text}
                ariaLabel={`Value of ${key}`}
                spellcheck={false}
                placeholder={of(key).type.endsWith('List') ? 'a, b, c' : ''}
                onChange={({ detail }) =>
                  set({ ...values, [key]: { ...of(key), text: detail.value } })
                }
              />
            ),
          },
        ]}
      />
    </FormField>
  );
}

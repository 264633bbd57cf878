// The context keys of the policies in a simulation, and their values.
import Box from '@cloudscape-design/components/box';
import Input from '@cloudscape-design/components/input';
import Select from '@cloudscape-design/components/select';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import FormField from '@cloudscape-design/components/form-field';
import Table from '@cloudscape-design/components/table';
import { useQuery } from '@tanstack/react-query';

import { contextKeys, type ContextEntry, type PolicySource } from '../../api/policy';
import { ErrorAlert } from '../../frame/error-alert';

/** The type and the values of each key, separated by commas if it is a list. */
type ContextType = NonNullable<ContextEntry['ContextKeyType']>;
export type ContextValues = Readonly<Record<string, { type: ContextType; text: string }>>;

const TYPES: readonly ContextType[] = [
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
];
const TYPE_OPTIONS = TYPES.map((value) => ({ value, label: value }));

/** The most likely type of a key. */
function typeOf(key: string): ContextType {
  const name = key.toLowerCase();
  if (/sourceip$|vpcsourceip$/.test(name)) return 'ip';
  if (/time$|date$/.test(name) && !name.includes('epoch')) return 'date';
  if (/^aws:(securetransport|multifactorauthpresent|viaawsservice)$/.test(name)) return 'boolean';
  if (/(age|max-keys|epochtime|contentlength)$/.test(name)) return 'numeric';
  return /(tagkeys|principalorgpaths)$/.test(name) ? 'stringList' : 'string';
}

/** The keys with a value, as the service takes them. */
export function contextEntries(values: ContextValues): ContextEntry[] {
  return Object.entries(values)
    .filter(([, { text }]) => text.trim() !== '')
    .map(([key, { type, text }]) => ({
      ContextKeyName: key,
      ContextKeyType: type,
      ContextKeyValues: type.endsWith('List')
        ? text.split(',').map((value) => value.trim())
        : [text.trim()],
    }));
}

export function ContextKeys(props: {
  source: PolicySource;
  values: ContextValues;
  set: (values: ContextValues) => void;
}) {
  const { source, values, set } = props;
  const keys = useQuery({
    queryKey: ['context-keys', source],
    queryFn: () => contextKeys(source),
    gcTime: 0,
  });
  // While it is edited, a document is often invalid; running the simulation shows the error.
  if (keys.error) {
    return 'arn' in source ? (
      <ErrorAlert error={keys.error} />
    ) : (
      <StatusIndicator type="info">The policy is not valid yet.</StatusIndicator>
    );
  }
  const of = (key: string) => values[key] ?? { type: typeOf(key), text: '' };
  return (
    <FormField
      label="Context keys"
      description="The condition keys of these policies. A key without a value is not in the request."
      stretch
    >
      <Table
        variant="embedded"
        items={keys.data ?? []}
        trackBy={(key) => key}
        loading={keys.isPending}
        loadingText="Loading"
        empty={<Box textAlign="center">No context keys</Box>}
        ariaLabels={{ tableLabel: 'Context keys', selectionGroupLabel: 'Context keys' }}
        columnDefinitions={[
          { id: 'key', header: 'Key', cell: (key) => key, isRowHeader: true },
          {
            id: 'type',
            header: 'Type',
            cell: (key) => (
              <Select
                selectedOption={{ value: of(key).type, label: of(key).type }}
                options={TYPE_OPTIONS}
                ariaLabel={`Type of ${key}`}
                onChange={({ detail }) =>
                  set({
                    ...values,
                    [key]: { ...of(key), type: detail.selectedOption.value as ContextType },
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

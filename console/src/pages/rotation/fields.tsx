// The fields that a rotation and a rotation policy have in common: destinations and periods.
import Checkbox from '@cloudscape-design/components/checkbox';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';

import { MANUAL_DELIVERY } from '../../api/rotation';
import { ErrorAlert } from '../../frame/error-alert';
import { durationSeconds, UNITS, type Duration, type Unit } from './durations';
import { useDestinations } from './queries';

const UNIT_OPTIONS = Object.keys(UNITS).map((unit) => ({ label: unit, value: unit }));

interface DurationFieldProps {
  label: string;
  description: string;
  duration: Duration;
  set: (duration: Duration) => void;
  /** What a duration of zero means. */
  zeroWarning: string;
}

function DurationField(props: DurationFieldProps) {
  const { label, description, duration, set, zeroWarning } = props;
  const seconds = durationSeconds(duration);
  return (
    <FormField
      label={label}
      description={description}
      secondaryControl={
        <Select
          selectedOption={{ label: duration.unit, value: duration.unit }}
          options={UNIT_OPTIONS}
          ariaLabel={`${label}: unit`}
          onChange={({ detail }) => set({ ...duration, unit: detail.selectedOption.value as Unit })}
        />
      }
      errorText={seconds === undefined ? 'Enter a whole number up to 90 days.' : ''}
      warningText={seconds === 0 ? zeroWarning : ''}
    >
      <Input
        type="number"
        inputMode="numeric"
        value={duration.count}
        onChange={({ detail }) => set({ ...duration, count: detail.value })}
      />
    </FormField>
  );
}

interface ObservationFieldProps {
  duration: Duration;
  set: (duration: Duration) => void;
}

export const ObservationField = (props: ObservationFieldProps) => (
  <DurationField
    {...props}
    label="Observation period"
    description="How long the old key must be unused before it is deactivated."
    zeroWarning="Clients that still use the old key will be rejected without warning."
  />
);

export const GraceField = (props: ObservationFieldProps) => (
  <DurationField
    {...props}
    label="Grace period"
    description="How long the old key stays inactive before it is deleted. Until then, you can roll back."
    zeroWarning="The old key is deleted immediately. You can't roll back."
  />
);

interface DestinationsFieldProps {
  selected: readonly string[];
  set: (destinations: string[]) => void;
  /** Replaces `{user}` in the names of destinations. */
  userName?: string;
}

/** The destinations that the server's administrator allows. */
export function DestinationsField({ selected, set, userName }: DestinationsFieldProps) {
  const read = useDestinations();
  if (read.error) return <ErrorAlert error={read.error} retry={() => void read.refetch()} />;
  if (!read.data) return <StatusIndicator type="loading">Loading</StatusIndicator>;
  const destinations = read.data;
  const toggle = (destination: string, checked: boolean): void =>
    set(destinations.filter((one) => (one === destination ? checked : selected.includes(one))));
  return (
    <FormField
      label="Destinations"
      description="Where the new key is delivered. An administrator of this server can allow more (--rotation-place)."
      errorText={selected.length === 0 ? 'Select at least one destination.' : ''}
    >
      <SpaceBetween size="xs">
        {destinations.map((destination) => (
          <Checkbox
            key={destination}
            checked={selected.includes(destination)}
            description={
              destination === MANUAL_DELIVERY
                ? 'Retrieve the new key here, install it, then confirm.'
                : 'The server writes the new key and reads it back.'
            }
            onChange={({ detail }) => toggle(destination, detail.checked)}
          >
            {destination === MANUAL_DELIVERY
              ? 'Deliver manually'
              : destination.replaceAll('{user}', userName ?? '{user}')}
          </Checkbox>
        ))}
      </SpaceBetween>
    </FormField>
  );
}

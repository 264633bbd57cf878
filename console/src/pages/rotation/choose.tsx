// What a rotation and a rotation policy are both asked: the places, and how long to wait.
import Checkbox from '@cloudscape-design/components/checkbox';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';

import { PERSON } from '../../api/rotation';
import { Problem } from '../../frame/problem';
import { usePlaces } from './queries';
import { secsOf, UNITS, type Unit, type Wait } from './waits';

const UNIT_OPTIONS = Object.keys(UNITS).map((unit) => ({ label: unit, value: unit }));

export interface WaitFieldProps {
  label: string;
  description: string;
  wait: Wait;
  set: (wait: Wait) => void;
  /** What it means that there is no wait. */
  none: string;
}

/** A time with its unit. */
export function WaitField({ label, description, wait, set, none }: WaitFieldProps) {
  const secs = secsOf(wait);
  return (
    <FormField
      label={label}
      description={description}
      secondaryControl={
        <Select
          selectedOption={{ label: wait.unit, value: wait.unit }}
          options={UNIT_OPTIONS}
          ariaLabel="unit"
          onChange={({ detail }) => set({ ...wait, unit: detail.selectedOption.value as Unit })}
        />
      }
      errorText={secs === undefined ? 'A whole number, up to 90 days' : ''}
      warningText={secs === 0 ? none : ''}
    >
      <Input
        type="number"
        inputMode="numeric"
        value={wait.count}
        onChange={({ detail }) => set({ ...wait, count: detail.value })}
      />
    </FormField>
  );
}

export interface PlacesFieldProps {
  chosen: string[];
  set: (places: string[]) => void;
  /** Whose name stands for `{user}`, where it is known. */
  userName?: string;
}

/** The places that the server's operator allows, to be ticked. */
export function PlacesField({ chosen, set, userName }: PlacesFieldProps) {
  const places = usePlaces();
  if (places.error) return <Problem error={places.error} retry={() => void places.refetch()} />;
  if (!places.data) return <StatusIndicator type="loading">Loading</StatusIndicator>;
  const byHand = userName ? 'I deliver it myself' : 'Somebody delivers it by hand';
  const tick = (place: string, checked: boolean): void =>
    set(places.data.filter((one) => (one === place ? checked : chosen.includes(one))));
  return (
    <FormField
      label="Places"
      description="Where the new key is put. Others are allowed by whoever runs the server (serve --rotation-place)."
      errorText={chosen.length === 0 ? 'Choose a place' : ''}
    >
      <SpaceBetween size="xs">
        {places.data.map((place) => (
          <Checkbox
            key={place}
            checked={chosen.includes(place)}
            description={
              place === PERSON
                ? 'The new key waits, sealed, until it is fetched and confirmed to be in place.'
                : 'Written and read back by the server.'
            }
            onChange={({ detail }) => tick(place, detail.checked)}
          >
            {place === PERSON ? byHand : place.replaceAll('{user}', userName ?? '{user}')}
          </Checkbox>
        ))}
      </SpaceBetween>
    </FormField>
  );
}

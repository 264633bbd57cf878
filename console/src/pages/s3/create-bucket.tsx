// Creating a bucket: a region, a name, and whether it may become public.
import Button from '@cloudscape-design/components/button';
import Checkbox from '@cloudscape-design/components/checkbox';
import Container from '@cloudscape-design/components/container';
import Form from '@cloudscape-design/components/form';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { BLOCKED, createBucket, putPublicAccess } from '../../api/s3';
import { useFrame } from '../../frame/context';
import { Problem } from '../../frame/problem';
import { regionName, REGIONS } from '../../lib/regions';
import { changed } from '../iam/queries';
import { PublicAccessSettings, Warning } from './public-access';

const NAME = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

export function CreateBucket() {
  const navigate = useNavigate();
  const { region, setRegion, done, failed } = useFrame();
  const [name, setName] = useState('');
  const [access, setAccess] = useState(BLOCKED);
  const [knows, setKnows] = useState(false);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const wrong = NAME.test(name)
    ? ''
    : '3 to 63 characters: a-z, 0-9, dots and hyphens, a letter or digit at both ends.';
  const loose = Object.values(access).includes(false);
  const create = async (): Promise<void> => {
    setTried(true);
    if (wrong || (loose && !knows)) return;
    setBusy(true);
    setError(undefined);
    try {
      await createBucket(name, region);
      // The bucket is there, closed, if this fails.
      if (loose) await putPublicAccess({ name, region }, access).catch(failed);
      changed(['buckets']);
      done(`Bucket ${name} created`);
      void navigate('/s3');
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void create();
      }}
    >
      <Form
        header={<Header variant="h1">Create bucket</Header>}
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <Button formAction="none" variant="link" onClick={() => void navigate('/s3')}>
              Cancel
            </Button>
            <Button variant="primary" loading={busy}>
              Create bucket
            </Button>
          </SpaceBetween>
        }
      >
        <SpaceBetween size="l">
          <Container header={<Header variant="h2">General configuration</Header>}>
            <SpaceBetween size="l">
              <FormField label="AWS Region">
                <Select
                  selectedOption={{ value: region, label: regionName(region), description: region }}
                  options={REGIONS.map(([value, label]) => ({ value, label, description: value }))}
                  filteringType="auto"
                  filteringAriaLabel="Find a region"
                  onChange={({ detail }) => setRegion(detail.selectedOption.value ?? region)}
                />
              </FormField>
              <FormField label="Bucket name" errorText={tried ? wrong : ''}>
                <Input
                  value={name}
                  spellcheck={false}
                  autoComplete={false}
                  onChange={({ detail }) => setName(detail.value)}
                />
              </FormField>
            </SpaceBetween>
          </Container>
          <Container header={<Header variant="h2">Block public access</Header>}>
            <SpaceBetween size="m">
              <PublicAccessSettings access={access} set={setAccess} />
              {loose && (
                <>
                  <Warning />
                  <FormField errorText={tried && !knows ? 'Say that you know' : ''}>
                    <Checkbox checked={knows} onChange={({ detail }) => setKnows(detail.checked)}>
                      I know that objects of this bucket can become public
                    </Checkbox>
                  </FormField>
                </>
              )}
            </SpaceBetween>
          </Container>
          {error !== undefined && <Problem error={error} />}
        </SpaceBetween>
      </Form>
    </form>
  );
}

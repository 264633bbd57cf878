// Creating a bucket: a Region, a name, and the public access settings.
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

import { ALL_BLOCKED, createBucket, putPublicAccess } from '../../api/s3';
import { useFrame } from '../../frame/context';
import { ErrorAlert } from '../../frame/error-alert';
import { regionName, REGIONS } from '../../lib/regions';
import { invalidate } from '../iam/queries';
import { PublicAccessSettings, PublicAccessWarning } from './public-access';

const NAME_RULE =
  'Bucket names must be 3 to 63 characters: a-z, 0-9, dots, and hyphens. They begin and end with a letter or number.';
const NAME = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

export function CreateBucketPage() {
  const navigate = useNavigate();
  const { region, setRegion, notifySuccess, notifyError } = useFrame();
  const [name, setName] = useState('');
  const [access, setAccess] = useState(ALL_BLOCKED);
  const [acknowledged, setAcknowledged] = useState(false);
  const [isSubmitted, setIsSubmitted] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const nameError = NAME.test(name) ? '' : NAME_RULE;
  const allowsPublic = Object.values(access).includes(false);
  const create = async (): Promise<void> => {
    setIsSubmitted(true);
    if (nameError || (allowsPublic && !acknowledged)) return;
    setBusy(true);
    setError(undefined);
    try {
      await createBucket(name, region);
      // If this fails, the bucket exists with public access blocked.
      if (allowsPublic) await putPublicAccess({ name, region }, access).catch(notifyError);
      invalidate(['buckets']);
      notifySuccess(`Bucket ${name} created`);
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
                  filteringAriaLabel="Find a Region"
                  onChange={({ detail }) => setRegion(detail.selectedOption.value ?? region)}
                />
              </FormField>
              <FormField label="Bucket name" errorText={isSubmitted ? nameError : ''}>
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
              {allowsPublic && (
                <SpaceBetween size="m">
                  <PublicAccessWarning />
                  <FormField
                    errorText={
                      isSubmitted && !acknowledged ? 'Select the acknowledgement to continue.' : ''
                    }
                  >
                    <Checkbox
                      checked={acknowledged}
                      onChange={({ detail }) => setAcknowledged(detail.checked)}
                    >
                      I acknowledge that the objects of this bucket might become public
                    </Checkbox>
                  </FormField>
                </SpaceBetween>
              )}
            </SpaceBetween>
          </Container>
          {error !== undefined && <ErrorAlert error={error} />}
        </SpaceBetween>
      </Form>
    </form>
  );
}

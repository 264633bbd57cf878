// The form that adds an identity provider, OpenID Connect or SAML.
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import FileUpload from '@cloudscape-design/components/file-upload';
import Form from '@cloudscape-design/components/form';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Tiles from '@cloudscape-design/components/tiles';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { call } from '../../api/client';
import { CreateOpenIDConnectProvider, CreateSAMLProvider } from '../../api/generated/iam';
import type { Tag } from '../../api/iam';
import { useFrame } from '../../frame/context';
import { ErrorAlert } from '../../frame/error-alert';
import {
  audienceProblem,
  providerUrlProblem,
  SAML_NAME_RULE,
  samlNameProblem,
} from '../../lib/provider-form';
import { providerName } from '../../lib/trust-policy';
import { providerHref } from './providers';
import { invalidate } from './queries';
import { TagEditor, tagsToWrite } from './tags';

type ProviderType = 'oidc' | 'saml';

export function CreateProviderPage() {
  const navigate = useNavigate();
  const { notifySuccess } = useFrame();
  const [type, setType] = useState<ProviderType>('oidc');
  const [url, setUrl] = useState('https://');
  const [audience, setAudience] = useState('');
  const [name, setName] = useState('');
  const [files, setFiles] = useState<File[]>([]);
  const [tags, setTags] = useState<Tag[]>([]);
  const [isSubmitted, setIsSubmitted] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const metadata = files[0];
  const problems =
    type === 'oidc'
      ? { url: providerUrlProblem(url), audience: audienceProblem(audience) }
      : { name: samlNameProblem(name), metadata: metadata ? '' : 'Choose a metadata document.' };

  const create = async (): Promise<string | undefined> => {
    const Tags = tagsToWrite(tags);
    if (type === 'oidc') {
      const created = await call(CreateOpenIDConnectProvider, {
        Url: url,
        ClientIDList: [audience],
        Tags,
      });
      return created.OpenIDConnectProviderArn;
    }
    const created = await call(CreateSAMLProvider, {
      Name: name,
      SAMLMetadataDocument: (await metadata?.text()) ?? '',
      Tags,
    });
    return created.SAMLProviderArn;
  };
  const submit = async (): Promise<void> => {
    setIsSubmitted(true);
    if (Object.values(problems).some((problem) => problem !== '')) return;
    setBusy(true);
    setError(undefined);
    try {
      const arn = (await create()) ?? '';
      invalidate(['providers'], ['summary']);
      notifySuccess(`Identity provider ${providerName(arn)} added`);
      void navigate(providerHref(arn));
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const problem = (field: string): string =>
    isSubmitted ? ((problems as Record<string, string>)[field] ?? '') : '';
  return (
    <Form
      header={<Header variant="h1">Add identity provider</Header>}
      actions={
        <SpaceBetween direction="horizontal" size="xs">
          <Button variant="link" onClick={() => void navigate('/iam/providers')}>
            Cancel
          </Button>
          <Button variant="primary" loading={busy} onClick={() => void submit()}>
            Add provider
          </Button>
        </SpaceBetween>
      }
    >
      <SpaceBetween size="l">
        <Container header={<Header variant="h2">Configure provider</Header>}>
          <SpaceBetween size="m">
            <FormField label="Provider type" stretch>
              <Tiles
                value={type}
                ariaLabel="Provider type"
                onChange={({ detail }) => setType(detail.value as ProviderType)}
                items={[
                  {
                    value: 'saml',
                    label: 'SAML',
                    description:
                      'Establish trust between your account and a SAML 2.0 compatible identity provider such as Shibboleth or Active Directory Federation Services.',
                  },
                  {
                    value: 'oidc',
                    label: 'OpenID Connect',
                    description:
                      'Establish trust between your account and an issuer of tokens, such as GitHub, GitLab or a Kubernetes cluster.',
                  },
                ]}
              />
            </FormField>
            {type === 'oidc' ? (
              <SpaceBetween size="m">
                <FormField
                  label="Provider URL"
                  description="The issuer of the tokens, as in their claim iss."
                  constraintText={
                    problem('url') ? '' : 'Maximum 255 characters. The URL must begin with https://'
                  }
                  errorText={problem('url')}
                >
                  <Input
                    value={url}
                    type="url"
                    spellcheck={false}
                    onChange={({ detail }) => setUrl(detail.value.trim())}
                  />
                </FormField>
                <FormField
                  label="Audience"
                  description="Also known as client ID. Tokens must be issued for it, for example sts.amazonaws.com. You can add more later."
                  errorText={problem('audience')}
                >
                  <Input
                    value={audience}
                    spellcheck={false}
                    onChange={({ detail }) => setAudience(detail.value.trim())}
                  />
                </FormField>
              </SpaceBetween>
            ) : (
              <SpaceBetween size="m">
                <FormField
                  label="Provider name"
                  constraintText={problem('name') ? '' : SAML_NAME_RULE}
                  errorText={problem('name')}
                >
                  <Input
                    value={name}
                    spellcheck={false}
                    onChange={({ detail }) => setName(detail.value.trim())}
                  />
                </FormField>
                <MetadataField files={files} set={setFiles} errorText={problem('metadata')} />
              </SpaceBetween>
            )}
          </SpaceBetween>
        </Container>
        <Container header={<Header variant="h2">Add tags – optional</Header>}>
          <TagEditor tags={tags} set={setTags} />
        </Container>
        {error !== undefined && <ErrorAlert error={error} />}
      </SpaceBetween>
    </Form>
  );
}

interface MetadataFieldProps {
  files: File[];
  set: (files: File[]) => void;
  errorText: string;
}

/** Chooses the metadata document of a SAML provider. */
export function MetadataField({ files, set, errorText }: MetadataFieldProps) {
  return (
    <FormField
      label="Metadata document"
      description="The XML file that your identity provider generates."
      errorText={errorText}
    >
      <FileUpload
        value={files}
        accept=".xml,application/xml,text/xml"
        showFileSize
        onChange={({ detail }) => set(detail.value)}
        i18nStrings={{
          uploadButtonText: () => 'Choose file',
          dropzoneText: () => 'Drop file to upload',
          removeFileAriaLabel: () => 'Remove file',
          limitShowFewer: 'Show fewer files',
          limitShowMore: 'Show more files',
          errorIconAriaLabel: 'Error',
        }}
      />
    </FormField>
  );
}

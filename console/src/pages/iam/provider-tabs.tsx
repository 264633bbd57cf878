// The tabs of an identity provider's page: audiences, thumbprints, the metadata document.
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { call } from '../../api/client';
import {
  AddClientIDToOpenIDConnectProvider,
  RemoveClientIDFromOpenIDConnectProvider,
  UpdateOpenIDConnectProviderThumbprint,
  UpdateSAMLProvider,
} from '../../api/generated/iam';
import type { SamlProvider } from '../../api/providers';
import { Editor } from '../../editor/editor';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { ActionDialog } from '../../frame/parts';
import { download } from '../../lib/download';
import {
  audienceProblem,
  normalThumbprint,
  thumbprintProblem,
  THUMBPRINT_RULE,
} from '../../lib/provider-form';
import { providerName } from '../../lib/trust-policy';
import { MetadataField } from './create-provider';
import { invalidate } from './queries';

/** A row of a list of texts. */
interface TextRow {
  text: string;
}

const rowsOf = (texts: readonly string[]): TextRow[] => texts.map((text) => ({ text }));
const columns = (header: string): Column<TextRow>[] => [
  {
    id: 'text',
    header,
    value: ({ text }) => text,
    cell: ({ text }) => text,
    isRowHeader: true,
  },
];
const AUDIENCE_COLUMNS = columns('Audience');
const THUMBPRINT_COLUMNS = columns('Thumbprint');

interface ListTabProps {
  title: string;
  /** One of them, as in "Add audience". */
  noun: string;
  description: string;
  texts: readonly string[];
  columns: Column<TextRow>[];
  max: number;
  constraint: string;
  problem: (text: string) => string;
  add: (text: string) => Promise<unknown>;
  remove: (texts: readonly string[]) => Promise<unknown>;
  removal: string;
}

/** A list of texts to which one is added, and from which some are removed. */
function ListTab(props: ListTabProps) {
  const { title, noun, texts } = props;
  const { notifySuccess } = useFrame();
  const [selected, setSelected] = useState<TextRow[]>([]);
  const [open, setOpen] = useState<'add' | 'remove'>();
  const [text, setText] = useState('');
  const problem = text === '' ? '' : props.problem(text);
  const close = (message?: string) => (): void => {
    setOpen(undefined);
    setText('');
    if (message === undefined) return;
    setSelected([]);
    invalidate(['providers']);
    notifySuccess(message);
  };
  const Noun = noun.charAt(0).toUpperCase() + noun.slice(1);
  return (
    <>
      <List<TextRow>
        title={title}
        description={props.description}
        items={rowsOf(texts)}
        columns={props.columns}
        rowId={({ text: id }) => id}
        empty={`No ${title.toLowerCase()}`}
        selection="multi"
        selected={selected}
        onSelect={setSelected}
        actions={
          <>
            <Button disabled={selected.length === 0} onClick={() => setOpen('remove')}>
              Remove
            </Button>
            <Button
              variant="primary"
              disabled={texts.length >= props.max}
              disabledReason={`Limit reached: ${String(props.max)} ${title.toLowerCase()}.`}
              onClick={() => setOpen('add')}
            >
              Add {noun}
            </Button>
          </>
        }
      />
      {open === 'add' && (
        <ActionDialog
          title={`Add ${noun}`}
          verb={`Add ${noun}`}
          disabled={text === '' || problem !== ''}
          onDismiss={close()}
          action={() => props.add(text)}
          onDone={close(`${Noun} added`)}
        >
          <FormField
            label={Noun}
            constraintText={problem ? '' : props.constraint}
            errorText={problem}
          >
            <Input
              value={text}
              spellcheck={false}
              autoComplete={false}
              onChange={({ detail }) => setText(detail.value.trim())}
            />
          </FormField>
        </ActionDialog>
      )}
      {open === 'remove' && (
        <ActionDialog
          title={`Remove ${title.toLowerCase()}?`}
          verb="Remove"
          onDismiss={close()}
          action={() => props.remove(selected.map((row) => row.text))}
          onDone={close(selected.length === 1 ? `${Noun} removed` : `${title} removed`)}
        >
          <div>{props.removal}</div>
          <ul>
            {selected.map((row) => (
              <li key={row.text}>{row.text}</li>
            ))}
          </ul>
        </ActionDialog>
      )}
    </>
  );
}

interface AudiencesProps {
  arn: string;
  audiences: readonly string[];
}

export function Audiences({ arn, audiences }: AudiencesProps) {
  const provider = { OpenIDConnectProviderArn: arn };
  return (
    <ListTab
      title="Audiences"
      noun="audience"
      description="Also known as client IDs. Tokens must be issued for one of them."
      texts={audiences}
      columns={AUDIENCE_COLUMNS}
      max={100}
      constraint="Maximum 255 characters."
      problem={audienceProblem}
      add={(ClientID) => call(AddClientIDToOpenIDConnectProvider, { ...provider, ClientID })}
      remove={async (removed) => {
        for (const ClientID of removed)
          await call(RemoveClientIDFromOpenIDConnectProvider, { ...provider, ClientID });
      }}
      removal="Tokens for them are no longer accepted."
    />
  );
}

interface ThumbprintsProps {
  arn: string;
  thumbprints: readonly string[];
}

export function Thumbprints({ arn, thumbprints }: ThumbprintsProps) {
  const update = (ThumbprintList: readonly string[]): Promise<unknown> =>
    call(UpdateOpenIDConnectProviderThumbprint, {
      OpenIDConnectProviderArn: arn,
      ThumbprintList,
    });
  return (
    <ListTab
      title="Thumbprints"
      noun="thumbprint"
      description="Needed if the certificate of the provider's URL is signed by an authority that the server does not trust."
      texts={thumbprints}
      columns={THUMBPRINT_COLUMNS}
      max={5}
      constraint={THUMBPRINT_RULE}
      problem={thumbprintProblem}
      add={(text) => update([...thumbprints, normalThumbprint(text)])}
      remove={(removed) => update(thumbprints.filter((one) => !removed.includes(one)))}
      removal="Tokens are no longer accepted if the provider's certificate is trusted only by these thumbprints."
    />
  );
}

export function Metadata({ provider }: { provider: SamlProvider }) {
  const { arn, SAMLMetadataDocument: text = '' } = provider;
  const { notifySuccess } = useFrame();
  const [open, setOpen] = useState(false);
  const [files, setFiles] = useState<File[]>([]);
  const [file] = files;
  const close = (): void => {
    setOpen(false);
    setFiles([]);
  };
  return (
    <Container
      header={
        <Header
          variant="h2"
          actions={
            <SpaceBetween direction="horizontal" size="xs">
              <Button
                iconName="download"
                onClick={() =>
                  download(`${providerName(arn)}-metadata.xml`, text, 'application/xml')
                }
              >
                Download metadata
              </Button>
              <Button onClick={() => setOpen(true)}>Replace metadata</Button>
            </SpaceBetween>
          }
        >
          SAML metadata
        </Header>
      }
    >
      <Editor text={text} label="Metadata document" />
      {open && (
        <ActionDialog
          title="Replace metadata"
          verb="Replace metadata"
          disabled={!file}
          onDismiss={close}
          action={async () =>
            call(UpdateSAMLProvider, {
              SAMLProviderArn: arn,
              SAMLMetadataDocument: await file?.text(),
            })
          }
          onDone={() => {
            close();
            invalidate(['providers']);
            notifySuccess('Metadata replaced');
          }}
        >
          <MetadataField files={files} set={setFiles} errorText="" />
        </ActionDialog>
      )}
    </Container>
  );
}

// How a client uses this server: its endpoint and region, the commands that set the AWS CLI up, and
// whether a new key has been used.
import Box from '@cloudscape-design/components/box';
import Container from '@cloudscape-design/components/container';
import CopyToClipboard from '@cloudscape-design/components/copy-to-clipboard';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useQuery } from '@tanstack/react-query';

import { keyUses } from '../../api/key-activity';
import { credentials } from '../../api/session';
import { useFrame } from '../../frame/context';
import { ErrorAlert } from '../../frame/error-alert';
import { CopyText } from '../../frame/parts';
import { lastUseText, sentence } from '../../lib/key-activity';
import { useNow } from '../../lib/now';
import { environmentLines, profileLines } from '../../lib/shell-lines';

interface NewKey {
  AccessKeyId: string;
  SecretAccessKey: string;
}

interface UseKeyProps {
  /** The key whose secret is on the page. */
  created: NewKey;
  /** The profile to set up. */
  profile: string;
  /** The secret was copied with the environment variables. */
  onCopy: () => void;
}

const useEndpoint = () =>
  useQuery({
    queryKey: ['endpoint'],
    queryFn: async () => (await credentials()).endpointUrl,
    staleTime: Infinity,
  });

/** Commands to copy. */
function Lines(props: { title: string; text: string; copied?: string; onCopy?: () => void }) {
  const { title, text, copied = text, onCopy } = props;
  return (
    <div>
      <SpaceBetween direction="horizontal" size="xs" alignItems="center">
        <Box variant="awsui-key-label">{title}</Box>
        <CopyToClipboard
          variant="icon"
          textToCopy={copied}
          copyButtonAriaLabel={`Copy ${title}`}
          copySuccessText={`${title} copied`}
          copyErrorText={`${title} could not be copied`}
          onCopySuccess={() => onCopy?.()}
        />
      </SpaceBetween>
      <Box variant="pre">
        <span style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{text}</span>
      </Box>
    </div>
  );
}

/** The dashboard's panel, where there is no key yet. */
export function ConnectPanel() {
  return (
    <Container
      header={
        <Header
          variant="h2"
          description="Without these settings, the AWS CLI and SDKs send requests to AWS."
        >
          Connect to this server
        </Header>
      }
    >
      <ClientSetupLines />
    </Container>
  );
}

/** The panel of a page that displays a new key. */
export function UseKey({ created, profile, onCopy }: UseKeyProps) {
  return (
    <Container
      header={
        <Header
          variant="h2"
          description="Without these settings, the AWS CLI and SDKs send requests to AWS."
          actions={<FirstUse keyId={created.AccessKeyId} />}
        >
          Use this key
        </Header>
      }
    >
      <ClientSetupLines created={created} profile={profile} onCopy={onCopy} />
    </Container>
  );
}

const MASK = '•'.repeat(16);

function ClientSetupLines({ created, profile, onCopy }: Partial<UseKeyProps>) {
  const { region } = useFrame();
  const endpoint = useEndpoint();
  if (endpoint.error) return <ErrorAlert error={endpoint.error} />;
  if (!endpoint.data) return <StatusIndicator type="loading">Loading</StatusIndicator>;
  const setup = { endpoint: endpoint.data, region, profile };
  const masked = created && { ...created, SecretAccessKey: MASK };
  return (
    <SpaceBetween size="m">
      <KeyValuePairs
        columns={2}
        items={[
          {
            label: 'API endpoint',
            value: <CopyText text={endpoint.data} label="API endpoint" />,
          },
          { label: 'Region', value: <CopyText text={region} label="Region" /> },
        ]}
      />
      <Lines title="AWS CLI" text={profileLines(setup)} />
      <Lines
        title="Environment variables"
        text={environmentLines(setup, masked).replace(`'${MASK}'`, MASK)}
        copied={environmentLines(setup, created)}
        {...(onCopy ? { onCopy } : {})}
      />
    </SpaceBetween>
  );
}

const FIRST_USE_POLL_MS = 3_000;

/** Turns green at the key's first request. */
function FirstUse({ keyId }: { keyId: string }) {
  const read = useQuery({
    queryKey: ['first-use', keyId],
    queryFn: () => keyUses(keyId),
    refetchInterval: ({ state: { data, error } }) =>
      error || data === null || data?.last.date ? false : FIRST_USE_POLL_MS,
  });
  const now = useNow();
  if (!read.data) return null;
  return read.data.last.date ? (
    <StatusIndicator type="success">
      Used {sentence(lastUseText(read.data.last, now))}
    </StatusIndicator>
  ) : (
    <StatusIndicator type="pending">Waiting for the first request</StatusIndicator>
  );
}

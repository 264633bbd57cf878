// The credential report as a file.
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import ContentLayout from '@cloudscape-design/components/content-layout';
import Header from '@cloudscape-design/components/header';
import { useState } from 'react';

import { credentialReport } from '../../api/iam';
import { useFrame } from '../../frame/context';
import { download } from '../../lib/download';

export function ReportPage() {
  const { notifyError } = useFrame();
  const [busy, setBusy] = useState(false);
  const save = async (): Promise<void> => {
    const { csv, generated } = await credentialReport();
    download(`status_reports_${generated.slice(0, 19).replaceAll(':', '_')}.csv`, csv);
  };
  return (
    <ContentLayout header={<Header variant="h1">Credential report</Header>}>
      <Container
        header={
          <Header
            variant="h2"
            description="Lists all users of the account and the state of their passwords, access keys and MFA devices. You can generate a report as often as once every four hours."
            actions={
              <Button
                variant="primary"
                iconName="download"
                loading={busy}
                onClick={() => {
                  setBusy(true);
                  save()
                    .catch(notifyError)
                    .finally(() => setBusy(false));
                }}
              >
                Download credentials report
              </Button>
            }
          >
            All users
          </Header>
        }
      />
    </ContentLayout>
  );
}

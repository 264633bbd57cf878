// The credential report as a file.
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import ContentLayout from '@cloudscape-design/components/content-layout';
import Header from '@cloudscape-design/components/header';
import { useState } from 'react';

import { reportText } from '../../api/iam';
import { useFrame } from '../../frame/context';
import { download } from '../../lib/download';

export function Report() {
  const { failed } = useFrame();
  const [busy, setBusy] = useState(false);
  const save = async (): Promise<void> => {
    const { text, made } = await reportText();
    download(`status_reports_${made.slice(0, 19).replaceAll(':', '_')}.csv`, text);
  };
  return (
    <ContentLayout header={<Header variant="h1">Credential report</Header>}>
      <Container
        header={
          <Header
            variant="h2"
            description="Lists all users of the account and the state of their passwords, access keys and MFA devices. A report is used for four hours before a new one is made."
            actions={
              <Button
                variant="primary"
                iconName="download"
                loading={busy}
                onClick={() => {
                  setBusy(true);
                  save()
                    .catch(failed)
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

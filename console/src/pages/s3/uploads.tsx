// Uploads, displayed as notifications: they continue on other pages, and can be cancelled there.
import Button from '@cloudscape-design/components/button';
import ProgressBar from '@cloudscape-design/components/progress-bar';

import { upload } from '../../api/s3-upload';
import type { BucketRef } from '../../api/s3';
import { useFrame } from '../../frame/context';
import { invalidate } from '../iam/queries';

/** Uploads files into a folder of a bucket, one after the other. */
export function useUploads(bucket: BucketRef): (files: File[], prefix: string) => Promise<void> {
  const { notify, notifyError } = useFrame();
  return async (files, prefix) => {
    const id = crypto.randomUUID();
    const abort = new AbortController();
    const showProgress = (name: string, percent: number, index: number): void =>
      notify(
        {
          type: 'in-progress',
          dismissible: false,
          action: <Button onClick={() => abort.abort()}>Cancel upload</Button>,
          content: (
            <ProgressBar
              variant="flash"
              value={percent}
              label={`Uploading ${name}`}
              {...(files.length > 1
                ? { additionalInfo: `File ${String(index + 1)} of ${String(files.length)}` }
                : {})}
            />
          ),
        },
        id,
      );
    // Closing the tab by mistake would interrupt the upload.
    const preventUnload = (event: BeforeUnloadEvent): void => event.preventDefault();
    addEventListener('beforeunload', preventUnload);
    let uploaded = 0;
    try {
      for (const [index, file] of files.entries()) {
        const onProgress = (bytes: number): void =>
          showProgress(file.name, file.size ? Math.round((100 * bytes) / file.size) : 100, index);
        onProgress(0);
        await upload({ bucket, key: prefix + file.name, file, onProgress, signal: abort.signal });
        uploaded += 1;
      }
      const [first] = files;
      const content =
        first && uploaded === 1 ? `${first.name} uploaded` : `${String(uploaded)} files uploaded`;
      notify({ type: 'success', content }, id);
    } catch (error) {
      if (error === abort.signal.reason) {
        const remaining =
          uploaded > 0
            ? ` ${String(uploaded)} of ${String(files.length)} files were uploaded.`
            : '';
        notify({ type: 'info', content: `Upload cancelled.${remaining}` }, id);
      } else notifyError(error, id);
    } finally {
      removeEventListener('beforeunload', preventUnload);
      invalidate(['objects']);
    }
  };
}

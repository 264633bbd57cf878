// Uploads, shown among the notices at the top: they go on when one goes to another page, and can be
// cancelled from there.
import Button from '@cloudscape-design/components/button';
import ProgressBar from '@cloudscape-design/components/progress-bar';

import { upload } from '../../api/s3-upload';
import type { Place } from '../../api/s3';
import { useFrame } from '../../frame/context';
import { changed } from '../iam/queries';

/** Uploads files into a folder of a bucket, one after the other. */
export function useUploads(bucket: Place): (files: File[], prefix: string) => Promise<void> {
  const { notify, failed } = useFrame();
  return async (files, prefix) => {
    const id = crypto.randomUUID();
    const stop = new AbortController();
    const show = (name: string, percent: number, at: number): void =>
      notify(
        {
          type: 'in-progress',
          dismissible: false,
          action: <Button onClick={() => stop.abort()}>Cancel upload</Button>,
          content: (
            <ProgressBar
              variant="flash"
              value={percent}
              label={`Uploading ${name}`}
              {...(files.length > 1
                ? { additionalInfo: `File ${String(at + 1)} of ${String(files.length)}` }
                : {})}
            />
          ),
        },
        id,
      );
    // Keeps the tab from being closed by mistake.
    const hold = (event: BeforeUnloadEvent): void => event.preventDefault();
    addEventListener('beforeunload', hold);
    let whole = 0;
    try {
      for (const [at, file] of files.entries()) {
        const sent = (bytes: number): void =>
          show(file.name, file.size ? Math.round((100 * bytes) / file.size) : 100, at);
        sent(0);
        await upload({ bucket, key: prefix + file.name, file, sent, stop: stop.signal });
        whole += 1;
      }
      const content = whole === 1 ? 'Uploaded' : `${String(whole)} files uploaded`;
      notify({ type: 'success', content }, id);
    } catch (error) {
      if (error === stop.signal.reason) {
        const kept = whole > 0 ? ` ${String(whole)} of ${String(files.length)} files stay.` : '';
        notify({ type: 'info', content: `Upload cancelled.${kept}` }, id);
      } else failed(error, id);
    } finally {
      removeEventListener('beforeunload', hold);
      changed(['objects']);
    }
  };
}

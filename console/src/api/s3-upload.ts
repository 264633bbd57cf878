// Uploading a file to S3: whole if it is small, else in parts.
//
// The one rule: what was cancelled or failed leaves nothing on the server, neither an object nor
// the parts of one.
import { refusal, sign } from './client';
import { Refusal, Unreachable } from './session';
import { ask, path, read, type Place } from './s3';

const PART_MIN = 16 * 1024 * 1024;
const PARTS_MAX = 10_000;

export interface Upload {
  bucket: Place;
  key: string;
  file: File;
  /** Told how many bytes have been sent. */
  sent: (bytes: number) => void;
  stop: AbortSignal;
}

/** Uploads a file. Stopped, it fails with the signal's reason. */
export async function upload(all: Upload): Promise<void> {
  const { bucket, key, file } = all;
  const type = file.type || 'application/octet-stream';
  const url = path(bucket.name, key);
  if (file.size <= PART_MIN) await put(all, url, file, { 'content-type': type });
  else await inParts(all, url, type);
}

async function inParts(all: Upload, url: string, type: string): Promise<void> {
  const { file, stop, sent } = all;
  const region = all.bucket.region;
  const begun = await ask(`${url}?uploads=`, {
    method: 'POST',
    region,
    headers: { 'content-type': type },
  });
  const id = encodeURIComponent((await read(begun)).text('UploadId') ?? '');
  const size = Math.max(PART_MIN, Math.ceil(file.size / PARTS_MAX));
  try {
    const parts: string[] = [];
    for (let at = 0; at < file.size; at += size) {
      const number = parts.length + 1;
      const tag = await put(
        { ...all, sent: (bytes) => sent(at + bytes) },
        `${url}?partNumber=${String(number)}&uploadId=${id}`,
        file.slice(at, at + size),
      );
      parts.push(`<Part><PartNumber>${String(number)}</PartNumber><ETag>${tag}</ETag></Part>`);
    }
    stop.throwIfAborted();
    const body = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join('')}</CompleteMultipartUpload>`;
    const made = await read(await ask(`${url}?uploadId=${id}`, { method: 'POST', region, body }));
    // The service may find out that it fails after it has begun to answer.
    if (made.name === 'Error')
      throw new Refusal(made.text('Code') ?? 'InternalError', made.text('Message') ?? '', 200);
  } catch (problem) {
    const aborted = ask(`${url}?uploadId=${id}`, { method: 'DELETE', region });
    // Why it failed is more worth knowing than that its parts stay, unless they are all there is.
    await aborted.catch((failure: unknown) => {
      if (stop.aborted) throw failure;
    });
    throw problem;
  }
}

/** Sends one body; gives its tag. */
async function put(
  { bucket, sent, stop }: Upload,
  url: string,
  body: Blob,
  headers: Record<string, string> = {},
): Promise<string> {
  const method = 'PUT';
  const signed = await sign({ url, method, service: 's3', region: bucket.region, headers });
  stop.throwIfAborted();
  const request = new XMLHttpRequest();
  const cancel = (): void => request.abort();
  stop.addEventListener('abort', cancel);
  try {
    return await new Promise<string>((resolve, reject) => {
      request.open(method, url);
      signed.headers.forEach((value, name) => request.setRequestHeader(name, value));
      request.upload.onprogress = (event) => sent(event.loaded);
      request.onload = () => {
        if (request.status < 300) resolve(request.getResponseHeader('etag') ?? '');
        else {
          const answer = new Response(request.responseText, { status: request.status });
          refusal(answer).then(reject, reject);
        }
      };
      request.onerror = () => reject(new Unreachable());
      request.onabort = () => reject(stop.reason);
      request.send(body);
    });
  } finally {
    stop.removeEventListener('abort', cancel);
  }
}

// Uploads a file to S3: in one request if it is small, otherwise in parts.
//
// An upload that is cancelled or fails leaves neither an object nor parts on the server.
import { serviceError, sign } from './client';
import { ServiceError, UnreachableError } from './session';
import { s3Request, s3Url, readXml, type BucketRef } from './s3';

const PART_MIN = 16 * 1024 * 1024;
const PARTS_MAX = 10_000;

interface Upload {
  bucket: BucketRef;
  key: string;
  file: File;
  /** Called with the number of bytes that have been sent. */
  onProgress: (bytes: number) => void;
  signal: AbortSignal;
}

/** Uploads a file; if aborted, fails with the signal's reason. */
export async function upload(request: Upload): Promise<void> {
  const { bucket, key, file } = request;
  const type = file.type || 'application/octet-stream';
  const url = s3Url(bucket.name, key);
  if (file.size <= PART_MIN) await putBody(request, url, file, { 'content-type': type });
  else await uploadParts(request, url, type);
}

async function uploadParts(request: Upload, url: string, type: string): Promise<void> {
  const { file, signal, onProgress } = request;
  const region = request.bucket.region;
  const created = await s3Request(`${url}?uploads=`, {
    method: 'POST',
    region,
    headers: { 'content-type': type },
  });
  const id = encodeURIComponent((await readXml(created)).text('UploadId') ?? '');
  const size = Math.max(PART_MIN, Math.ceil(file.size / PARTS_MAX));
  try {
    const parts: string[] = [];
    for (let start = 0; start < file.size; start += size) {
      const number = parts.length + 1;
      const tag = await putBody(
        { ...request, onProgress: (bytes) => onProgress(start + bytes) },
        `${url}?partNumber=${String(number)}&uploadId=${id}`,
        file.slice(start, start + size),
      );
      parts.push(`<Part><PartNumber>${String(number)}</PartNumber><ETag>${tag}</ETag></Part>`);
    }
    signal.throwIfAborted();
    const body = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join('')}</CompleteMultipartUpload>`;
    const completed = await readXml(
      await s3Request(`${url}?uploadId=${id}`, { method: 'POST', region, body }),
    );
    // The service may fail after it has started to answer.
    if (completed.name === 'Error')
      throw new ServiceError(
        completed.text('Code') ?? 'InternalError',
        completed.text('Message') ?? '',
        200,
      );
  } catch (problem) {
    const aborted = s3Request(`${url}?uploadId=${id}`, { method: 'DELETE', region });
    // Why the upload failed matters more than parts that remain, unless it was cancelled.
    await aborted.catch((failure: unknown) => {
      if (signal.aborted) throw failure;
    });
    throw problem;
  }
}

/** Sends one body; returns its ETag. */
async function putBody(
  { bucket, onProgress, signal }: Upload,
  url: string,
  body: Blob,
  headers: Record<string, string> = {},
): Promise<string> {
  const method = 'PUT';
  const signed = await sign({ url, method, service: 's3', region: bucket.region, headers });
  signal.throwIfAborted();
  const request = new XMLHttpRequest();
  const cancel = (): void => request.abort();
  signal.addEventListener('abort', cancel);
  try {
    return await new Promise<string>((resolve, reject) => {
      request.open(method, url);
      signed.headers.forEach((value, name) => request.setRequestHeader(name, value));
      request.upload.onprogress = (event) => onProgress(event.loaded);
      request.onload = () => {
        if (request.status < 300) resolve(request.getResponseHeader('etag') ?? '');
        else {
          const answer = new Response(request.responseText, { status: request.status });
          serviceError(answer).then(reject, reject);
        }
      };
      request.onerror = () => reject(new UnreachableError());
      request.onabort = () => reject(signal.reason);
      request.send(body);
    });
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

// S3 requests of the pages: path-style, signed for the bucket's Region.
import { serviceError, sign } from './client';
import { credentials, send, ServiceError } from './session';
import { Xml } from './xml';

export interface Bucket {
  name: string;
  created: string;
  region: string;
}
export interface S3Object {
  key: string;
  size: number;
  modified: string;
  storageClass: string;
}
export interface ObjectListing {
  folders: string[];
  objects: S3Object[];
  next?: string | undefined;
}

/** The URL of a bucket or object: all but slashes and unreserved characters is escaped. */
export function s3Url(bucket: string, key = '', origin = location.origin): string {
  const escaped = (part: string): string =>
    encodeURIComponent(part).replace(
      /[!'()*]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  return `${origin}/${[bucket, ...key.split('/')].map(escaped).join('/')}`;
}

/** A bucket, and the Region that its requests are signed for. */
export interface BucketRef {
  name: string;
  region: string;
}

interface S3Request {
  method?: string;
  region: string;
  headers?: Record<string, string>;
  body?: string;
}

export async function s3Request(
  url: string,
  { method = 'GET', region, headers = {}, body }: S3Request,
): Promise<Response> {
  const signed = await sign({
    url,
    method,
    service: 's3',
    region,
    headers,
    ...(body === undefined ? {} : { body }),
  });
  const init: RequestInit = { method, headers: signed.headers, cache: 'no-store' };
  const response = await send(url, body === undefined ? init : { ...init, body });
  if (!response.ok) throw await serviceError(response);
  return response;
}

export const readXml = async (response: Response): Promise<Xml> => Xml.parse(await response.text());

export async function listBuckets(): Promise<Bucket[]> {
  const all: Bucket[] = [];
  let token: string | undefined;
  do {
    const query = new URLSearchParams({ 'max-buckets': '1000' });
    if (token) query.set('continuation-token', token);
    const url = `${location.origin}/?${query.toString()}`;
    const page: Xml = await readXml(await s3Request(url, { region: 'us-east-1' }));
    for (const node of page.child('Buckets')?.all('Bucket') ?? []) {
      all.push({
        name: node.text('Name') ?? '',
        created: node.text('CreationDate') ?? '',
        region: node.text('BucketRegion') ?? 'us-east-1',
      });
    }
    token = page.text('ContinuationToken') || undefined;
  } while (token);
  return all;
}

export async function createBucket(name: string, region: string): Promise<void> {
  const configuration =
    `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
    `<LocationConstraint>${region}</LocationConstraint></CreateBucketConfiguration>`;
  const body = region === 'us-east-1' ? {} : { body: configuration };
  await s3Request(s3Url(name), { method: 'PUT', region, ...body });
}

export const deleteBucket = (bucket: Bucket): Promise<Response> =>
  s3Request(s3Url(bucket.name), { method: 'DELETE', region: bucket.region });

export async function bucketRegion(bucket: string): Promise<string> {
  const answer = await readXml(
    await s3Request(`${s3Url(bucket)}?location`, { region: 'us-east-1' }),
  );
  return answer.value.trim() || 'us-east-1';
}

export async function listObjects(
  bucket: BucketRef,
  prefix: string,
  token?: string,
  delimiter = '/',
): Promise<ObjectListing> {
  const query = new URLSearchParams({ 'list-type': '2', prefix, 'max-keys': '1000' });
  if (delimiter) query.set('delimiter', delimiter);
  if (token) query.set('continuation-token', token);
  // The signature covers a space as %20.
  const url = `${s3Url(bucket.name)}?${query.toString().replaceAll('+', '%20')}`;
  const page = await readXml(await s3Request(url, { region: bucket.region }));
  return {
    folders: page.all('CommonPrefixes').map((node) => node.text('Prefix') ?? ''),
    objects: page.all('Contents').map((node) => ({
      key: node.text('Key') ?? '',
      size: Number(node.text('Size') ?? 0),
      modified: node.text('LastModified') ?? '',
      storageClass: node.text('StorageClass') ?? 'STANDARD',
    })),
    next: page.text('NextContinuationToken'),
  };
}

const escapeXml = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('\r', '&#13;');

/** Deletes up to 1,000 objects; throws the first error. */
export async function deleteObjects(bucket: BucketRef, keys: string[]): Promise<void> {
  const objects = keys.map((key) => `<Object><Key>${escapeXml(key)}</Key></Object>`).join('');
  const body = `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${objects}<Quiet>true</Quiet></Delete>`;
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(body));
  const bytes = [...new Uint8Array(digest)];
  const headers = {
    'content-type': 'application/xml',
    'x-amz-checksum-sha256': btoa(String.fromCharCode(...bytes)),
    'x-amz-content-sha256': bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(''),
  };
  const url = `${s3Url(bucket.name)}?delete=`;
  const answer = await readXml(
    await s3Request(url, { method: 'POST', region: bucket.region, headers, body }),
  );
  const failed = answer.all('Error')[0];
  if (failed) {
    const message = `${failed.text('Key') ?? ''}: ${failed.text('Message') ?? ''}`;
    throw new ServiceError(failed.text('Code') ?? 'InternalError', message, 403);
  }
}

/** Deletes all objects of a bucket, page by page. */
export async function emptyBucket(
  bucket: Bucket,
  onProgress: (deleted: number) => void,
): Promise<void> {
  let deleted = 0;
  for (;;) {
    const page = await listObjects(bucket, '', undefined, '');
    if (page.objects.length === 0) return;
    await deleteObjects(
      bucket,
      page.objects.map((object) => object.key),
    );
    deleted += page.objects.length;
    onProgress(deleted);
  }
}

export async function createFolder(bucket: BucketRef, key: string): Promise<void> {
  await s3Request(s3Url(bucket.name, key), { method: 'PUT', region: bucket.region, body: '' });
}

/**
 * A URL that works without credentials until it expires. It is the API's: the console's origin
 * answers only requests that are signed in a header.
 */
export async function presign(
  bucket: BucketRef,
  key: string,
  seconds: number,
  asFile = false,
): Promise<string> {
  const query = new URLSearchParams({ 'X-Amz-Expires': String(seconds) });
  const name = key.split('/').pop() ?? key;
  if (asFile)
    query.set(
      'response-content-disposition',
      `attachment; filename*=UTF-8''${encodeURIComponent(name)}`,
    );
  const { endpointUrl } = await credentials();
  const address = s3Url(bucket.name, key, endpointUrl);
  const url = `${address}?${query.toString().replaceAll('+', '%20')}`;
  const signed = await sign({
    url,
    method: 'GET',
    service: 's3',
    region: bucket.region,
    signQuery: true,
  });
  return signed.url.toString();
}

/** An answer, or a default where the service says with this code that there is none. */
async function unlessCode<T>(code: string, otherwise: T, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ServiceError && error.code === code) return otherwise;
    throw error;
  }
}

/** The bucket's policy, or null where there is none. */
export async function bucketPolicy(bucket: BucketRef): Promise<string | null> {
  const answer = s3Request(`${s3Url(bucket.name)}?policy`, { region: bucket.region });
  return unlessCode<string | null>(
    'NoSuchBucketPolicy',
    null,
    answer.then((response) => response.text()),
  );
}

export const putBucketPolicy = (bucket: BucketRef, body: string): Promise<Response> =>
  s3Request(`${s3Url(bucket.name)}?policy`, { method: 'PUT', region: bucket.region, body });

export const deleteBucketPolicy = (bucket: BucketRef): Promise<Response> =>
  s3Request(`${s3Url(bucket.name)}?policy`, { method: 'DELETE', region: bucket.region });

/** The settings of Block Public Access, by their names on the wire. */
const SETTINGS = [
  'BlockPublicAcls',
  'IgnorePublicAcls',
  'BlockPublicPolicy',
  'RestrictPublicBuckets',
] as const;
export type PublicAccess = Record<(typeof SETTINGS)[number], boolean>;

const settings = (isOn: (name: keyof PublicAccess) => boolean): PublicAccess =>
  Object.fromEntries(SETTINGS.map((name) => [name, isOn(name)])) as PublicAccess;

/** The settings of a new bucket. */
export const ALL_BLOCKED = settings(() => true);
/** The settings of a bucket without any. */
export const NONE_BLOCKED = settings(() => false);

export async function publicAccess(bucket: BucketRef): Promise<PublicAccess> {
  const answer = s3Request(`${s3Url(bucket.name)}?publicAccessBlock`, { region: bucket.region });
  return unlessCode(
    'NoSuchPublicAccessBlockConfiguration',
    NONE_BLOCKED,
    answer.then(readXml).then((document) => settings((name) => document.text(name) === 'true')),
  );
}

export function putPublicAccess(bucket: BucketRef, access: PublicAccess): Promise<Response> {
  const elements = Object.entries(access)
    .map(([name, on]) => `<${name}>${String(on)}</${name}>`)
    .join('');
  const body =
    `<PublicAccessBlockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
    `${elements}</PublicAccessBlockConfiguration>`;
  const url = `${s3Url(bucket.name)}?publicAccessBlock`;
  return s3Request(url, { method: 'PUT', region: bucket.region, body });
}

/** Whether the bucket's policy is public. */
export async function isPublic(bucket: BucketRef): Promise<boolean> {
  const answer = s3Request(`${s3Url(bucket.name)}?policyStatus`, { region: bucket.region });
  return unlessCode(
    'NoSuchBucketPolicy',
    false,
    answer.then(readXml).then((document) => document.text('IsPublic') === 'true'),
  );
}

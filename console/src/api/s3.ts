// S3 as the pages use it: buckets and objects, path-style, signed for the bucket's region.
import { refusal, sign } from './client';
import { credentials, send, Refusal } from './session';
import { Xml } from './xml';

export interface Bucket {
  name: string;
  created: string;
  region: string;
}
export interface Found {
  key: string;
  size: number;
  modified: string;
  storageClass: string;
}
export interface Listing {
  folders: string[];
  objects: Found[];
  next?: string | undefined;
}

/** A key as a path: everything but slashes and unreserved characters is escaped. */
export function path(bucket: string, key = '', origin = location.origin): string {
  const escaped = (part: string): string =>
    encodeURIComponent(part).replace(
      /[!'()*]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  return `${origin}/${[bucket, ...key.split('/')].map(escaped).join('/')}`;
}

/** A bucket, and the region that its requests are signed for. */
export interface Place {
  name: string;
  region: string;
}

interface Ask {
  method?: string;
  region: string;
  headers?: Record<string, string>;
  body?: string;
}

export async function ask(
  url: string,
  { method = 'GET', region, headers = {}, body }: Ask,
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
  if (!response.ok) throw await refusal(response);
  return response;
}

export const read = async (response: Response): Promise<Xml> => Xml.parse(await response.text());

export async function listBuckets(): Promise<Bucket[]> {
  const all: Bucket[] = [];
  let token: string | undefined;
  do {
    const query = new URLSearchParams({ 'max-buckets': '1000' });
    if (token) query.set('continuation-token', token);
    const url = `${location.origin}/?${query.toString()}`;
    const page: Xml = await read(await ask(url, { region: 'us-east-1' }));
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
  await ask(path(name), { method: 'PUT', region, ...body });
}

export const deleteBucket = (bucket: Bucket): Promise<Response> =>
  ask(path(bucket.name), { method: 'DELETE', region: bucket.region });

export async function regionOf(bucket: string): Promise<string> {
  const answer = await read(await ask(`${path(bucket)}?location`, { region: 'us-east-1' }));
  return answer.value.trim() || 'us-east-1';
}

export async function listObjects(
  bucket: Place,
  prefix: string,
  token?: string,
  delimiter = '/',
): Promise<Listing> {
  const query = new URLSearchParams({ 'list-type': '2', prefix, 'max-keys': '1000' });
  if (delimiter) query.set('delimiter', delimiter);
  if (token) query.set('continuation-token', token);
  // A space must be %20 here, since the signature is over that form.
  const url = `${path(bucket.name)}?${query.toString().replaceAll('+', '%20')}`;
  const page = await read(await ask(url, { region: bucket.region }));
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

/** Deletes up to 1,000 objects; what was refused is thrown. */
export async function deleteObjects(
  bucket: Place,
  keys: string[],
): Promise<void> {
  const objects = keys.map((key) => `<Object><Key>${escapeXml(key)}</Key></Object>`).join('');
  const body = `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${objects}<Quiet>true</Quiet></Delete>`;
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(body));
  const bytes = [...new Uint8Array(digest)];
  const headers = {
    'content-type': 'application/xml',
    'x-amz-checksum-sha256': btoa(String.fromCharCode(...bytes)),
    'x-amz-content-sha256': bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(''),
  };
  const url = `${path(bucket.name)}?delete=`;
  const answer = await read(
    await ask(url, { method: 'POST', region: bucket.region, headers, body }),
  );
  const failed = answer.all('Error')[0];
  if (failed) {
    const said = `${failed.text('Key') ?? ''}: ${failed.text('Message') ?? ''}`;
    throw new Refusal(failed.text('Code') ?? 'InternalError', said, 403);
  }
}

/** Deletes everything in a bucket, a page at a time. */
export async function emptyBucket(bucket: Bucket, told: (deleted: number) => void): Promise<void> {
  let deleted = 0;
  for (;;) {
    const page = await listObjects(bucket, '', undefined, '');
    if (page.objects.length === 0) return;
    await deleteObjects(
      bucket,
      page.objects.map((object) => object.key),
    );
    deleted += page.objects.length;
    told(deleted);
  }
}

export async function createFolder(
  bucket: Place,
  key: string,
): Promise<void> {
  await ask(path(bucket.name, key), { method: 'PUT', region: bucket.region, body: '' });
}

/**
 * An address that works without credentials for so many seconds: the API's, since nothing that is
 * not signed in a header is answered where the console is.
 */
export async function presign(
  bucket: Place,
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
  const address = path(bucket.name, key, endpointUrl);
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

/** An answer, or what stands for it where the service says with this code that there is none. */
async function unless<T>(code: string, otherwise: T, asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Refusal && error.code === code) return otherwise;
    throw error;
  }
}

/** The bucket's policy, or nothing where there is none. */
export async function bucketPolicy(bucket: Place): Promise<string | null> {
  const asked = ask(`${path(bucket.name)}?policy`, { region: bucket.region });
  return unless<string | null>(
    'NoSuchBucketPolicy',
    null,
    asked.then((answer) => answer.text()),
  );
}

export const putBucketPolicy = (
  bucket: Place,
  body: string,
): Promise<Response> =>
  ask(`${path(bucket.name)}?policy`, { method: 'PUT', region: bucket.region, body });

export const deleteBucketPolicy = (bucket: Place): Promise<Response> =>
  ask(`${path(bucket.name)}?policy`, { method: 'DELETE', region: bucket.region });

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

/** What a new bucket has. */
export const BLOCKED = settings(() => true);
/** What a bucket without settings has. */
export const OPEN = settings(() => false);

export async function publicAccess(bucket: Place): Promise<PublicAccess> {
  const asked = ask(`${path(bucket.name)}?publicAccessBlock`, { region: bucket.region });
  return unless(
    'NoSuchPublicAccessBlockConfiguration',
    OPEN,
    asked.then(read).then((answer) => settings((name) => answer.text(name) === 'true')),
  );
}

export function putPublicAccess(bucket: Place, access: PublicAccess): Promise<Response> {
  const elements = Object.entries(access)
    .map(([name, on]) => `<${name}>${String(on)}</${name}>`)
    .join('');
  const body =
    `<PublicAccessBlockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
    `${elements}</PublicAccessBlockConfiguration>`;
  const url = `${path(bucket.name)}?publicAccessBlock`;
  return ask(url, { method: 'PUT', region: bucket.region, body });
}

/** Whether the bucket's policy is public; one that is not there is not. */
export async function isPublic(bucket: Place): Promise<boolean> {
  const asked = ask(`${path(bucket.name)}?policyStatus`, { region: bucket.region });
  return unless(
    'NoSuchBucketPolicy',
    false,
    asked.then(read).then((answer) => answer.text('IsPublic') === 'true'),
  );
}

// Signed requests to the public API, with the session's temporary credentials.
//
// The console has no door of its own: what it may do is decided like for any other client.
import { AwsV4Signer } from 'aws4fetch';

import { encode, type Value } from './query';
import { Refusal, credentials, send } from './session';
import { Xml } from './xml';

type Service = 'iam' | 'sts' | 'keywright';
const VERSIONS: Record<Service, string> = {
  iam: '2010-05-08',
  sts: '2011-06-15',
  keywright: '2026-11-24',
};

export interface ToSign {
  url: string;
  method: string;
  service: string;
  region: string;
  headers?: Record<string, string>;
  body?: string;
  signQuery?: boolean;
}

/** Signs a request; with `signQuery` the signature is in the address. */
export async function sign(request: ToSign): Promise<{ url: URL; headers: Headers }> {
  const { accessKeyId, secretAccessKey, sessionToken } = await credentials();
  // IAM and STS want the content type signed; browsers send it as it is.
  const allHeaders = request.service !== 's3';
  const signer = new AwsV4Signer({
    ...request,
    accessKeyId,
    secretAccessKey,
    sessionToken,
    allHeaders,
  });
  const { url, headers } = await signer.sign();
  return { url, headers };
}

/** The refusal that an answer of IAM, STS or S3 tells. */
export async function refusal(response: Response): Promise<Refusal> {
  const id = response.headers.get('x-amzn-requestid') ?? response.headers.get('x-amz-request-id');
  const text = await response.text();
  try {
    const answer = Xml.parse(text);
    const error = answer.child('Error') ?? answer;
    const code = error.text('Code') ?? String(response.status);
    const said = error.text('Message') ?? '';
    const named = answer.text('RequestId') ?? error.text('RequestId') ?? id ?? undefined;
    return new Refusal(code, said, response.status, named);
  } catch {
    const said = `The server answered ${String(response.status)}.`;
    return new Refusal(String(response.status), said, response.status, id ?? undefined);
  }
}

/** Calls an operation; the answer is its result element. */
export async function call(
  service: Service,
  action: string,
  parameters: { readonly [name: string]: Value } = {},
): Promise<Xml> {
  const form = encode({ Action: action, Version: VERSIONS[service], ...parameters });
  const body = form.toString();
  const url = `${location.origin}/`;
  const signed = await sign({
    url,
    method: 'POST',
    service,
    region: 'us-east-1',
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    body,
  });
  const response = await send(url, { method: 'POST', headers: signed.headers, body });
  if (!response.ok) throw await refusal(response);
  const answer = Xml.parse(await response.text());
  return answer.child(`${action}Result`) ?? answer;
}

/** Calls a listing until its last page. */
export async function pages<T>(
  service: Service,
  action: string,
  parameters: { readonly [name: string]: Value },
  read: (page: Xml) => T[],
): Promise<T[]> {
  const all: T[] = [];
  let marker: string | undefined;
  do {
    const page: Xml = await call(service, action, {
      MaxItems: 1000,
      ...parameters,
      Marker: marker,
    });
    all.push(...read(page));
    marker = page.text('IsTruncated') === 'true' ? page.text('Marker') : undefined;
  } while (marker);
  return all;
}

// Signed requests to the public API, with the session's temporary credentials.
//
// The console has no private API: its requests are authorized like those of any other client.
import { AwsV4Signer } from 'aws4fetch';

import { decode, type Operation } from './operation';
import { encode } from './query';
import { ServiceError, credentials, send, type ownCredentials } from './session';
import { Xml } from './xml';

interface SignableRequest {
  url: string;
  method: string;
  service: string;
  region: string;
  headers?: Record<string, string>;
  body?: string;
  signQuery?: boolean;
}

type CredentialSource = typeof ownCredentials;

/** Signs a request; with `signQuery` the signature is in the URL. */
export async function sign(
  request: SignableRequest,
  source: CredentialSource = credentials,
): Promise<{ url: URL; headers: Headers }> {
  const { accessKeyId, secretAccessKey, sessionToken } = await source();
  // IAM and STS require a signed content type, which browsers send unchanged.
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

/** The error in an answer of IAM, STS or S3. */
export async function serviceError(response: Response): Promise<ServiceError> {
  const id = response.headers.get('x-amzn-requestid') ?? response.headers.get('x-amz-request-id');
  const text = await response.text();
  try {
    const document = Xml.parse(text);
    const error = document.child('Error') ?? document;
    const code = error.text('Code') ?? String(response.status);
    const requestId = document.text('RequestId') ?? error.text('RequestId') ?? id ?? undefined;
    return new ServiceError(code, error.text('Message') ?? '', response.status, requestId);
  } catch {
    const message = `The server answered with status ${String(response.status)}.`;
    return new ServiceError(String(response.status), message, response.status, id ?? undefined);
  }
}

/** An input that may be left out if the operation requires nothing. */
type Parameters<Input> = object extends Input ? [input?: Input] : [input: Input];

/** Calls an operation. */
export const call = <Input extends object, Output>(
  operation: Operation<Input, Output>,
  ...[input]: Parameters<Input>
): Promise<Output> => callAs(credentials, operation, input);

/** Calls an operation with other credentials than those of the tab. */
export async function callAs<Input extends object, Output>(
  source: CredentialSource,
  operation: Operation<Input, Output>,
  input: Input | undefined,
): Promise<Output> {
  const { name, version, service, answer } = operation;
  const body = encode({ Action: name, Version: version, ...input }).toString();
  const url = `${location.origin}/`;
  const signed = await sign(
    {
      url,
      method: 'POST',
      service,
      region: 'us-east-1',
      headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
      body,
    },
    source,
  );
  const response = await send(url, { method: 'POST', headers: signed.headers, body });
  if (!response.ok) throw await serviceError(response);
  const document = Xml.parse(await response.text());
  return decode(document.child(`${name}Result`) ?? document, answer) as Output;
}

interface PageInput {
  MaxItems?: number | undefined;
  Marker?: string | undefined;
}
interface PageOutput {
  IsTruncated?: boolean | undefined;
  Marker?: string | undefined;
}

/** Calls a listing until its last page. */
export async function pages<Input extends PageInput, Output extends PageOutput, Item>(
  operation: Operation<Input, Output>,
  input: NoInfer<Omit<Input, keyof PageInput>>,
  items: (page: Output) => readonly Item[] | undefined,
): Promise<Item[]> {
  const all: Item[] = [];
  let Marker: string | undefined;
  do {
    const parameters = { MaxItems: 1000, ...input, Marker } as unknown as Input;
    const page = await call(operation, ...([parameters] as Parameters<Input>));
    all.push(...(items(page) ?? []));
    Marker = page.IsTruncated ? page.Marker : undefined;
  } while (Marker);
  return all;
}

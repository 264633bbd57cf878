// The identity providers of the account, OpenID Connect and SAML, in one shape.
import { call } from './client';
import {
  DeleteOpenIDConnectProvider,
  DeleteSAMLProvider,
  GetOpenIDConnectProvider,
  GetSAMLProvider,
  ListOpenIDConnectProviders,
  ListSAMLProviders,
  TagOpenIDConnectProvider,
  TagSAMLProvider,
  UntagOpenIDConnectProvider,
  UntagSAMLProvider,
  type GetOpenIDConnectProviderResponse,
  type GetSAMLProviderResponse,
  type Tag,
} from './generated/iam';
import { isOidc, providerName } from '../lib/trust-policy';

export interface Provider {
  arn: string;
  name: string;
  type: 'OpenID Connect' | 'SAML';
  /** The list has it for SAML providers only. */
  created?: string | undefined;
}

const provider = (arn: string, created?: string): Provider => ({
  arn,
  name: providerName(arn),
  type: isOidc(arn) ? 'OpenID Connect' : 'SAML',
  created,
});

export async function listProviders(): Promise<Provider[]> {
  const [oidc, saml] = await Promise.all([
    call(ListOpenIDConnectProviders),
    call(ListSAMLProviders),
  ]);
  return [
    ...(oidc.OpenIDConnectProviderList ?? []).map(({ Arn = '' }) => provider(Arn)),
    ...(saml.SAMLProviderList ?? []).map(({ Arn = '', CreateDate }) => provider(Arn, CreateDate)),
  ];
}

export type OidcProvider = GetOpenIDConnectProviderResponse & { arn: string };
export type SamlProvider = GetSAMLProviderResponse & { arn: string };

export const getOidcProvider = async (arn: string): Promise<OidcProvider> => ({
  ...(await call(GetOpenIDConnectProvider, { OpenIDConnectProviderArn: arn })),
  arn,
});
export const getSamlProvider = async (arn: string): Promise<SamlProvider> => ({
  ...(await call(GetSAMLProvider, { SAMLProviderArn: arn })),
  arn,
});

export const deleteProvider = (arn: string): Promise<unknown> =>
  isOidc(arn)
    ? call(DeleteOpenIDConnectProvider, { OpenIDConnectProviderArn: arn })
    : call(DeleteSAMLProvider, { SAMLProviderArn: arn });

export const tagProvider = (arn: string, Tags: Tag[]): Promise<unknown> =>
  isOidc(arn)
    ? call(TagOpenIDConnectProvider, { OpenIDConnectProviderArn: arn, Tags })
    : call(TagSAMLProvider, { SAMLProviderArn: arn, Tags });

export const untagProvider = (arn: string, TagKeys: string[]): Promise<unknown> =>
  isOidc(arn)
    ? call(UntagOpenIDConnectProvider, { OpenIDConnectProviderArn: arn, TagKeys })
    : call(UntagSAMLProvider, { SAMLProviderArn: arn, TagKeys });

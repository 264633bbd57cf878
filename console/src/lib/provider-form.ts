// What is wrong with the fields of an identity provider; empty if nothing is.

const HTTPS = 'https://';

export function providerUrlProblem(url: string): string {
  if (!url.startsWith(HTTPS) || url === HTTPS) return 'Enter a URL that begins with https://';
  if (url.length > 255) return 'Maximum 255 characters.';
  return URL.canParse(url) && !/[?#]/.test(url) ? '' : 'Enter a URL without a query or fragment.';
}

export function audienceProblem(audience: string): string {
  if (audience === '') return 'Enter an audience.';
  return audience.length > 255 ? 'Maximum 255 characters.' : '';
}

export const SAML_NAME_RULE =
  'Maximum 128 characters. Valid characters: A-Z, a-z, 0-9, and . _ - (hyphen)';

export function samlNameProblem(name: string): string {
  if (name === '') return 'Enter a provider name.';
  return /^[\w.-]{1,128}$/.test(name) ? '' : SAML_NAME_RULE;
}

export const THUMBPRINT_RULE = 'A thumbprint has 40 hexadecimal digits (SHA-1).';

/** A thumbprint as it is registered: without the colons that openssl prints. */
export const normalThumbprint = (text: string): string => text.replace(/[:\s]/g, '').toLowerCase();

export const thumbprintProblem = (text: string): string =>
  /^[0-9a-f]{40}$/.test(normalThumbprint(text)) ? '' : THUMBPRINT_RULE;

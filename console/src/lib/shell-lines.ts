// The commands that set a client up for this server, for a POSIX shell.
//
// A secret is never part of a command line, which the history of the shell and `ps` would show: it
// is either entered at a prompt, or in the environment variables, which people copy on purpose.

export interface ClientSetup {
  endpoint: string;
  region: string;
  /** The profile to write to; absent: the default one. */
  profile?: string | undefined;
}

/** Quotes a word unless it is plain. */
const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;

/** The lines that set up a profile of the AWS CLI. `aws configure` prompts for the key. */
export function profileLines({ endpoint, region, profile }: ClientSetup): string {
  // A name that begins with a hyphen would be an option.
  const option = profile === undefined ? '' : ` --profile=${quoted(profile)}`;
  return [
    `aws configure${option}`,
    `aws configure set endpoint_url ${quoted(endpoint)}${option}`,
    `aws configure set region ${quoted(region)}${option}`,
    `aws sts get-caller-identity${option}`,
  ].join('\n');
}

/** The environment variables of a client, with the key where there is one. */
export function environmentLines(
  { endpoint, region }: ClientSetup,
  key?: { AccessKeyId: string; SecretAccessKey: string },
): string {
  const variables: [string, string][] = [
    ...(key
      ? ([
          ['AWS_ACCESS_KEY_ID', key.AccessKeyId],
          ['AWS_SECRET_ACCESS_KEY', key.SecretAccessKey],
        ] satisfies [string, string][])
      : []),
    ['AWS_ENDPOINT_URL', endpoint],
    ['AWS_DEFAULT_REGION', region],
  ];
  return variables.map(([name, value]) => `export ${name}=${quoted(value)}`).join('\n');
}

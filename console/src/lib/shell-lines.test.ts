// The lines that people paste into their shell.
import { expect, it } from 'vitest';

import { environmentLines, profileLines } from './shell-lines';

const SETUP = { endpoint: 'http://127.0.0.1:8787', region: 'eu-central-1' };

it('set up a profile, without the secret', () => {
  expect(profileLines({ ...SETUP, profile: 'ann' })).toBe(
    `aws configure --profile=ann
aws configure set endpoint_url http://127.0.0.1:8787 --profile=ann
aws configure set region eu-central-1 --profile=ann
aws sts get-caller-identity --profile=ann`,
  );
  expect(profileLines(SETUP)).not.toContain('--profile');
});

it('set the environment', () => {
  expect(environmentLines(SETUP)).toBe(
    'export AWS_ENDPOINT_URL=http://127.0.0.1:8787\nexport AWS_DEFAULT_REGION=eu-central-1',
  );
  const key = { AccessKeyId: 'AKIAIOSFODNN7EXAMPLE', SecretAccessKey: 'a/b+c' };
  expect(environmentLines(SETUP, key)).toContain('export AWS_SECRET_ACCESS_KEY=a/b+c\n');
});

it('quote what a shell would read', () => {
  expect(environmentLines({ ...SETUP, endpoint: "http://h/$(x)'" })).toContain(
    String.raw`AWS_ENDPOINT_URL='http://h/$(x)'\'''`,
  );
});

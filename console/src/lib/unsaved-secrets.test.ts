// What leaving a page would lose.
import { describe, expect, it } from 'vitest';

import { UnsavedSecrets } from './unsaved-secrets';

describe('secrets that are not saved', () => {
  it('are those that were added and not removed', () => {
    const secrets = new UnsavedSecrets();
    const removeKey = secrets.add('Secret access key');
    const removePassword = secrets.add('Console password');
    secrets.add('Console password');
    expect(secrets.text).toBe('secret access key and console password');
    removePassword();
    removePassword();
    expect(secrets.text).toBe('secret access key and console password');
    removeKey();
    expect(secrets.text).toBe('console password');
    secrets.clear();
    expect(secrets.isEmpty).toBe(true);
  });

  it.each([
    [true, 'a secret'],
    [false, undefined],
  ])('keep the page from being closed: %s', (prevented, label) => {
    const secrets = new UnsavedSecrets();
    if (label) secrets.add(label);
    const event = new Event('beforeunload', { cancelable: true });
    secrets.onBeforeUnload(event);
    expect(event.defaultPrevented).toBe(prevented);
  });
});

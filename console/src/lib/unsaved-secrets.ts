// The secrets on the screen that have been neither copied nor downloaded. The server never returns
// them again, so leaving the page would lose them.

export class UnsavedSecrets {
  private readonly labels = new Map<symbol, string>();

  /** Adds a secret by its label; the result removes it. */
  add(label: string): () => void {
    const id = Symbol(label);
    this.labels.set(id, label);
    return () => void this.labels.delete(id);
  }

  get isEmpty(): boolean {
    return this.labels.size === 0;
  }

  /** Their labels, as in a sentence. */
  get text(): string {
    return [...new Set(this.labels.values())].map((label) => label.toLowerCase()).join(' and ');
  }

  /** Gives them up. */
  clear(): void {
    this.labels.clear();
  }

  /** Has the browser ask before it reloads or closes the page. */
  readonly onBeforeUnload = (event: Event): void => {
    if (!this.isEmpty) event.preventDefault();
  };
}

// Reads the XML that IAM, STS and S3 answer with.
//
// A node that is missing reads as absent, never as a guess: `text` of a missing child is undefined.

/** An element of an answer. */
export class Xml {
  constructor(private readonly element: Element) {}

  /** Reads a document; what is no XML is an error. */
  static parse(text: string): Xml {
    const parsed = new DOMParser().parseFromString(text, 'application/xml');
    const root = parsed.documentElement;
    if (!root || root.localName === 'parsererror' || parsed.querySelector('parsererror')) {
      throw new Error('The answer is not XML.');
    }
    return new Xml(root);
  }

  get name(): string {
    return this.element.localName;
  }

  /** The element's own text. */
  get value(): string {
    return this.element.textContent ?? '';
  }

  /** Its children of this name. */
  all(name: string): Xml[] {
    return [...this.element.children]
      .filter((child) => child.localName === name)
      .map((child) => new Xml(child));
  }

  /** All its children. */
  children(): Xml[] {
    return [...this.element.children].map((child) => new Xml(child));
  }

  /** Its first child of this name. */
  child(name: string): Xml | undefined {
    return this.all(name)[0];
  }

  /** The text of the child of this name. */
  text(name: string): string | undefined {
    return this.child(name)?.value;
  }

  /** The members of a list of awsQuery: `<Users><member/>…</Users>`. */
  list(name: string): Xml[] {
    return this.child(name)?.all('member') ?? [];
  }
}

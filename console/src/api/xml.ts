// Reads the XML answers of IAM, STS and S3.
//
// A missing element reads as undefined, never as a default.

/** An element of an answer. */
export class Xml {
  constructor(private readonly element: Element) {}

  /** Reads a document; throws if it is not XML. */
  static parse(text: string): Xml {
    const parsed = new DOMParser().parseFromString(text, 'application/xml');
    const root = parsed.documentElement;
    if (!root || root.localName === 'parsererror' || parsed.querySelector('parsererror')) {
      throw new Error('The answer is not valid XML.');
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

  /** The children of this name. */
  all(name: string): Xml[] {
    return [...this.element.children]
      .filter((child) => child.localName === name)
      .map((child) => new Xml(child));
  }

  /** All children. */
  children(): Xml[] {
    return [...this.element.children].map((child) => new Xml(child));
  }

  /** The first child of this name. */
  child(name: string): Xml | undefined {
    return this.all(name)[0];
  }

  /** The text of the child of this name. */
  text(name: string): string | undefined {
    return this.child(name)?.value;
  }
}

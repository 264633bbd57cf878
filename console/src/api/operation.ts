// What is generated of an operation, and how its answer becomes an object.
//
// The server's encoder is generated from the same models as these types, so an answer is read and
// not checked: what a model requires is there.
import type { Xml } from './xml';

/**
 * What an element is besides text. `[S]` is a list, `['map', S]` a map, and of a structure only the
 * members are named that are something else than text.
 */
export type Shape =
  | 'string'
  | 'number'
  | 'boolean'
  | readonly [Shape]
  | readonly ['map', Shape]
  | { readonly [member: string]: Shape };

export interface Operation<Input, Output> {
  readonly service: 'iam' | 'sts' | 'keywright';
  readonly version: string;
  readonly name: string;
  readonly answer: Shape;
  /** Not there at run time: ties an operation to its types. */
  readonly types?: { readonly input: Input; readonly output: Output };
}

/** Reads an element; a member that is missing is absent. */
export function decode(node: Xml, shape: Shape): unknown {
  if (shape === 'string') return node.value;
  if (shape === 'number') return Number(node.value);
  if (shape === 'boolean') return node.value === 'true';
  if (isMap(shape)) {
    const entries = node.all('entry');
    return Object.fromEntries(
      entries.map((entry): [string, unknown] => {
        const value = entry.child('value');
        return [entry.text('key') ?? '', value && decode(value, shape[1])];
      }),
    );
  }
  if (isList(shape)) return node.all('member').map((member) => decode(member, shape[0]));
  const members = node.children();
  return Object.fromEntries(
    members.map((member): [string, unknown] => [
      member.name,
      decode(member, shape[member.name] ?? 'string'),
    ]),
  );
}

const isList = (shape: Shape): shape is readonly [Shape] => Array.isArray(shape);
const isMap = (shape: Shape): shape is readonly ['map', Shape] =>
  Array.isArray(shape) && shape.length === 2;

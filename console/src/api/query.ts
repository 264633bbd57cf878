// The parameters of awsQuery: structures with dots, lists with `.member.N`.

/** A parameter's value; what is undefined is not sent. */
export type Value =
  | string
  | number
  | boolean
  | undefined
  | readonly Value[]
  | { readonly [name: string]: Value };

/** Parameters as a form. */
export function encode(parameters: { readonly [name: string]: Value }): URLSearchParams {
  const form = new URLSearchParams();
  const add = (name: string, value: Value): void => {
    if (value === undefined) return;
    if (Array.isArray(value)) {
      value.forEach((one: Value, at) => add(`${name}.member.${String(at + 1)}`, one));
    } else if (typeof value === 'object') {
      for (const [key, one] of Object.entries(value)) add(`${name}.${key}`, one as Value);
    } else {
      form.append(name, String(value));
    }
  };
  for (const [name, value] of Object.entries(parameters)) add(name, value);
  return form;
}

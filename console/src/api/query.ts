// The parameters of awsQuery: structures with dots, lists with `.member.N`.

/** Parameters as a form; what is undefined is not sent. */
export function encode(parameters: object): URLSearchParams {
  const form = new URLSearchParams();
  const add = (name: string, value: unknown): void => {
    if (value === undefined) return;
    if (Array.isArray(value)) {
      value.forEach((item, index) => add(`${name}.member.${String(index + 1)}`, item));
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, member] of Object.entries(value)) add(`${name}.${key}`, member);
    } else {
      form.append(name, String(value));
    }
  };
  for (const [name, value] of Object.entries(parameters)) add(name, value);
  return form;
}

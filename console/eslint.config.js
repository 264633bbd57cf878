// What is held against the console's sources besides the types.
import js from '@eslint/js';
import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist', 'node_modules'] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  hooks.configs.flat.recommended,
  {
    files: ['size.mjs'],
    languageOptions: { globals: { console: 'readonly', process: 'readonly' } },
  },
);

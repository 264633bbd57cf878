// What is held against the console's sources besides the types.
import js from '@eslint/js';
import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

const WORDS = ['asked', 'told', 'shown', 'kept', 'whose', 'anew', 'somebody', 'lent', 'seen'];
const inner = WORDS.map((word) => word.charAt(0).toUpperCase() + word.slice(1));
// A word at the beginning of a name or within it. `Asked` alone is a code of the service.
const NAMES = `^(?!Asked$)(?:(?:${WORDS.join('|')})|.*(?:${inner.join('|')}))(?![a-z])`;
const TEXTS = String.raw`\b(?:anew|at once|go(?:es)? on|somebody|told|whoever|whom)\b`;
// React 19 takes a fragment for one child, which leaves no space between its own children.
const FRAGMENT =
  'JSXElement[openingElement.name.name="SpaceBetween"] > JSXExpressionContainer > :matches(JSXFragment, LogicalExpression > JSXFragment, ConditionalExpression > JSXFragment)';
const plain = {
  [FRAGMENT]: 'Nest a SpaceBetween instead of a fragment.',
  [`Identifier[name=/${NAMES}/]`]: 'Name it as the glossary does.',
  [`JSXText[value=/${TEXTS}/i]`]: 'Word it as the console of AWS does.',
  [`Literal[value=/${TEXTS}/i]`]: 'Word it as the console of AWS does.',
  [`TemplateElement[value.raw=/${TEXTS}/i]`]: 'Word it as the console of AWS does.',
};

export default tseslint.config(
  { ignores: ['dist', 'node_modules'] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  hooks.configs.flat.recommended,
  {
    files: ['src/**'],
    ignores: ['src/api/generated/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        ...Object.entries(plain).map(([selector, message]) => ({ selector, message })),
      ],
    },
  },
  {
    files: ['size.mjs'],
    languageOptions: { globals: { console: 'readonly', process: 'readonly' } },
  },
);

import js from "@eslint/js";
import jsxA11y from "eslint-plugin-jsx-a11y";
import reactHooks from "eslint-plugin-react-hooks";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

const sdk = { group: ["matrix-js-sdk", "matrix-js-sdk/**"], message: "Only src/matrix speaks the protocol." };
const react = { group: ["react", "react-dom", "react/**", "react-dom/**"], message: "Only src/views draws." };
const layer = (name, why) => ({ group: [`**/${name}/**`], message: why });
const only = (...patterns) => ({ "no-restricted-imports": ["error", { patterns }] });

/** Direction: views > viewmodels > models < matrix; the entry file joins them. */
export default defineConfig(
  { ignores: ["dist/"] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ["eslint.config.js"] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      "@typescript-eslint/explicit-module-boundary-types": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      complexity: ["error", 8],
      "max-lines": ["error", 300],
      "no-console": "error",
      "no-restricted-properties": [
        "error",
        {
          property: "innerHTML",
          message: "Sanitised HTML enters the page as a fragment, see views/sanitise.ts.",
        },
        {
          property: "outerHTML",
          message: "Sanitised HTML enters the page as a fragment, see views/sanitise.ts.",
        },
      ],
    },
  },
  {
    files: ["src/models/**"],
    rules: only(
      sdk,
      react,
      layer("matrix", "Models know no protocol."),
      layer("viewmodels", "Models are below."),
      layer("views", "Models are below."),
    ),
  },
  {
    files: ["src/matrix/**"],
    rules: only(
      react,
      layer("viewmodels", "The protocol knows models only."),
      layer("views", "The protocol knows models only."),
    ),
  },
  {
    files: ["src/viewmodels/**"],
    rules: only(
      sdk,
      react,
      layer("matrix", "View-models take a Connection, they do not make one."),
      layer("views", "View-models do not draw."),
    ),
  },
  {
    files: ["src/views/**"],
    extends: [jsxA11y.flatConfigs.strict, reactHooks.configs.flat.recommended],
    rules: {
      ...only(sdk, layer("matrix", "Views are given view-models.")),
      "no-restricted-syntax": [
        "error",
        {
          selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']",
          message: "Sanitised HTML enters the page as a fragment, see views/sanitise.ts.",
        },
      ],
    },
  },
  {
    files: ["eslint.config.js"],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { "@typescript-eslint/explicit-module-boundary-types": "off" },
  },
);

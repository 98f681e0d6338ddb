/** Builds `dist/bitnexus-chat.js` (a stable name for hosts to load) with hashed chunks and a manifest beside it. */
import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const leftOut = (name: string): string =>
  fileURLToPath(new URL(`src/matrix/left-out/${name}.ts`, import.meta.url));

/** What the SDK's client imports and this one does not offer, with what stands in its place. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  "./rust-crypto/index.js": leftOut("encryption"),
  "./webrtc/call.js": leftOut("calls"),
  "./webrtc/callEventHandler.js": leftOut("calls"),
  "./webrtc/groupCall.js": leftOut("calls"),
  "./webrtc/groupCallEventHandler.js": leftOut("calls"),
  "./webrtc/mediaHandler.js": leftOut("calls"),
  "./matrixrtc/MatrixRTCSessionManager.js": leftOut("calls"),
  "./rtcTransportsCachedValue.js": leftOut("calls"),
};

/** Encryption is 5 MB of WebAssembly, calls a fifth of the SDK; a name that the SDK moves fails the build. */
function leaveOut(): Plugin {
  return {
    name: "leave-out",
    enforce: "pre",
    resolveId(source, importer) {
      const isFromClient = importer?.endsWith("/matrix-js-sdk/lib/client.js") ?? false;
      return isFromClient ? (LEFT_OUT[source] ?? null) : null;
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [leaveOut(), react()],
  build: {
    // the browsers of 2024, which know light-dark() and :dir(); older ones would get more code for less
    target: ["chrome123", "firefox121", "safari17.5"],
    manifest: true,
    modulePreload: false,
    chunkSizeWarningLimit: 650,
    rolldownOptions: {
      input: { "bitnexus-chat": "src/bitnexus-chat.ts" },
      preserveEntrySignatures: "exports-only",
      output: {
        entryFileNames: "[name].js",
        chunkFileNames: "chunks/[name]-[hash].js",
        assetFileNames: "assets/[name]-[hash][extname]",
      },
    },
  },
  test: {
    include: ["test/**/*.test.{ts,tsx}"],
    server: { deps: { inline: ["matrix-js-sdk"] } },
  },
});

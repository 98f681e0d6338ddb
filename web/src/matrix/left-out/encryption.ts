/** Stands in for the SDK's encryption, which this client never starts: the homeserver refuses encrypted rooms. */

export function initRustCrypto(): Promise<never> {
  return Promise.reject(
    new Error("BitNexus Chat rooms are not encrypted; the client has no encryption in it."),
  );
}
